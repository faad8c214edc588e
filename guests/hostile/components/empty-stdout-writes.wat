;; Writes nothing to stdout, ten million times, through the streams of WASI 0.2.
(component
  (import "wasi:io/error@0.2.0" (instance $error
    (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output-stream (sub resource)))
    (alias outer 1 $error (type $outer_error))
    (export "error" (type $error (eq $outer_error)))
    (type $stream_error (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $stream_error)))
    (export "[method]output-stream.write" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-stream (type $outer_stream))
    (export "output-stream" (type $output-stream (eq $outer_stream)))
    (export "get-stdout" (func (result (own $output-stream))))))

  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $get_stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $memory "memory")))

  (core module $module
    (import "host" "stdout" (func $stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (func (export "run") (result i32)
      (local $stream i32)
      (local $left i32)
      (local.set $stream (call $stdout))
      (local.set $left (i32.const 10000000))
      (loop $again
        (call $write (local.get $stream) (i32.const 64) (i32.const 0) (i32.const 16))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left)))
      (i32.const 0)))
  (core instance $instance (instantiate $module
    (with "host" (instance
      (export "stdout" (func $get_stdout))
      (export "write" (func $write))))))

  (func $run (result (result)) (canon lift (core func $instance "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
