//! Names the library for the dynamic linker.

/// Rises when a function of the library goes or means something else, which the versions in their names are there to prevent.
const ABI: u32 = 1;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libsandbar.so.{ABI}");
    }
}
