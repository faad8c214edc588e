//! Sorting: sorts `size` records by two keys with the standard library's unstable sort, which is ipnsort. Bergdoll and
//! Peters, <https://github.com/Voultapher/sort-research-rs>.

use crate::{checksum::Checksum, splitmix::SplitMix64};

/// Records are equal only where all of them is, so that no two sorts can disagree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sale {
    price: u32,
    number: u32,
}

pub fn sort(size: u32) -> u64 {
    let mut random = SplitMix64::new(3);
    let mut sales: Vec<Sale> =
        (0..size).map(|_| Sale { price: random.below(1 + size / 4), number: random.below(u32::MAX) }).collect();
    sales.sort_unstable();

    let mut checksum = Checksum::default();
    for sale in &sales {
        checksum.add(u64::from(sale.price) << 32 | u64::from(sale.number));
    }
    checksum.value()
}
