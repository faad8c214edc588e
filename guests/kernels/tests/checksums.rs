//! What every kernel computes at a small size. A checksum changes only with what its kernel does.

use kernels::KERNELS;

const EXPECTED: &[(&str, u32, u64)] = &[
    ("sha256", 3, 0xf315_8ed7_7bd2_f06c),
    ("xxh64", 3, 0x1545_85c7_f082_a8d4),
    ("matmul", 2, 0x0529_4836_69b1_e36a),
    ("json", 2, 0x563f_e710_b354_b574),
    ("regex", 600, 0x1365_e81f_451e_324e),
    ("sort", 10_000, 0x568e_e7ac_5ebf_fa7d),
    ("blur", 2, 0x715f_b669_1f28_8d2e),
    ("nbody", 1_000, 0xfee6_4bee_b4eb_012b),
    ("sieve", 10_000, 0x2adb_62ab_b8a6_5d17),
    ("lz4", 2, 0x28f0_0722_8f6b_a4ad),
    ("mandelbrot", 16, 0x387a_d719_5675_8301),
    ("words", 10_000, 0x0e0f_8c75_5de9_6386),
];

#[test]
fn checksums_are_the_same_everywhere() {
    let found: Vec<_> = KERNELS.iter().map(|(name, run, _)| (*name, size(name), run(size(name)))).collect();
    assert_eq!(found, EXPECTED);
}

fn size(name: &str) -> u32 {
    let row = EXPECTED.iter().find(|(expected, ..)| *expected == name);
    row.unwrap_or_else(|| panic!("no checksum is expected of `{name}`")).1
}

#[test]
fn no_work_is_fine() {
    KERNELS.iter().for_each(|(name, run, _)| assert_eq!(run(0), run(0), "{name}"));
}
