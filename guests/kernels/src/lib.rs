//! Twelve compute kernels: what guests spend processor time on, the same natively and as a guest.
//!
//! Each takes a size, makes an input of its own from a fixed seed, does work in proportion to the size, and returns a
//! checksum of what it computed. Checksums are equal wherever the kernels run: nothing depends on the width of `usize`,
//! on the order of a hash map, or on floating point beyond `+ - * /` and the square root, which IEEE 754 rounds in one
//! way.
//!
//! There are no dependencies, not even for JSON and regular expressions. A bench takes this crate into another
//! workspace, whose lock file and unified features would make a different program of the same dependency, and comparing
//! the two would say nothing.

mod blur;
mod checksum;
#[cfg(target_family = "wasm")]
mod exports;
mod json;
mod lz4;
mod mandelbrot;
mod matmul;
mod nbody;
mod regex;
mod sha256;
mod sieve;
mod sort;
mod splitmix;
mod vocabulary;
mod words;
mod xxh64;

pub use {
    blur::blur, json::json, lz4::lz4, mandelbrot::mandelbrot, matmul::matmul, nbody::nbody, regex::regex,
    sha256::sha256, sieve::sieve, sort::sort, words::words, xxh64::xxh64,
};

/// The name of a kernel's export, its function, and a size that takes 20 to 40 ms natively.
pub type Kernel = (&'static str, fn(u32) -> u64, u32);

/// Every kernel, for benches and tests to go through.
pub const KERNELS: &[Kernel] = &[
    ("sha256", sha256, 5_000),
    ("xxh64", xxh64, 5_000),
    ("matmul", matmul, 50),
    ("json", json, 120),
    ("regex", regex, 20_000),
    ("sort", sort, 700_000),
    ("blur", blur, 200),
    ("nbody", nbody, 400_000),
    ("sieve", sieve, 8_000_000),
    ("lz4", lz4, 50),
    ("mandelbrot", mandelbrot, 600),
    ("words", words, 1_000_000),
];
