;; Never ends instantiating: the start function of the module inside loops.
(component
  (core module $module
    (func $init
      (loop $forever (br $forever)))
    (start $init)
    (func (export "run") (result i32) (i32.const 0)))
  (core instance $instance (instantiate $module))

  (func $run (result (result)) (canon lift (core func $instance "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
