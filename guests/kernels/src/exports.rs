//! The kernels as exports of a core module: an `i32` in, an `i64` out.

macro_rules! export {
    ($($kernel:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $kernel(size: u32) -> u64 {
            crate::$kernel(size)
        }
    )*};
}

export! { sha256 xxh64 matmul json regex sort blur nbody sieve lz4 mandelbrot words }
