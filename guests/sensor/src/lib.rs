//! Sensor logic for the edge: two typed exports, no imports, no allocator, a few hundred bytes.
//!
//! A list argument is a pointer and a length. The host places the list in memory it grows for it,
//! as there is no allocator here to ask.

#![no_std]

/// Gives the reading back when it is a percentage, else -1.
#[unsafe(no_mangle)]
pub extern "C" fn validate_sensor_reading(value: i32) -> i32 {
    if (0..=100).contains(&value) { value } else { -1 }
}

/// Averages `len` readings at `ptr`, rounded toward zero; 0 for an empty list.
///
/// # Safety
///
/// `ptr` points to `len` readings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calculate_average(ptr: *const i32, len: usize) -> i32 {
    if len == 0 {
        return 0;
    }
    // SAFETY: the caller's promise above. A false one traps or reads this sandbox's own memory.
    let readings = unsafe { core::slice::from_raw_parts(ptr, len) };
    let sum: i64 = readings.iter().map(|&reading| i64::from(reading)).sum();
    (sum / len as i64) as i32
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
