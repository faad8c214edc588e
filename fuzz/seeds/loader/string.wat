;; A typed export over text: the host asks `cabi_realloc` for room and places the text there.
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 16))

  ;; A bump allocator: it grows memory when it must and frees nothing.
  (func (export "cabi_realloc")
    (param $old i32) (param $old_bytes i32) (param $align i32) (param $new_bytes i32) (result i32)
    (local $ptr i32)
    (local $end i32)
    (local $missing i32)
    (local.set $ptr
      (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (local.set $end (i32.add (local.get $ptr) (local.get $new_bytes)))
    (if (i32.lt_u (local.get $end) (local.get $ptr)) (then unreachable))

    (local.set $missing
      (i32.sub
        (i32.add (i32.shr_u (local.get $end) (i32.const 16)) (i32.const 1))
        (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
          (then unreachable))))

    (memory.copy (local.get $ptr) (local.get $old)
      (select (local.get $old_bytes) (local.get $new_bytes)
        (i32.lt_u (local.get $old_bytes) (local.get $new_bytes))))
    (global.set $next (local.get $end))
    (local.get $ptr))

  (func (export "count_vowels") (param $ptr i32) (param $len i32) (result i32)
    (local $end i32)
    (local $vowels i32)
    (local.set $end (i32.add (local.get $ptr) (local.get $len)))
    (block $done
      (loop $each
        (br_if $done (i32.eq (local.get $ptr) (local.get $end)))
        (local.set $vowels
          (i32.add (local.get $vowels) (call $is_vowel (i32.load8_u (local.get $ptr)))))
        (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
        (br $each)))
    (local.get $vowels))

  ;; Looks the letter up in a bit set of `aeiou`, whose bit 0 is `a`.
  (func $is_vowel (param $letter i32) (result i32)
    (local $bit i32)
    (local.set $bit
      (i32.sub (i32.or (local.get $letter) (i32.const 0x20)) (i32.const 0x61)))
    (i32.and
      (i32.lt_u (local.get $bit) (i32.const 26))
      (i32.shr_u (i32.const 0x104111) (local.get $bit)))))
