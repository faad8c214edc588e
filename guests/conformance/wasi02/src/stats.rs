//! What is known of files: kinds, sizes, times, and hashes that tell them apart.

use crate::{
    Case, cases,
    folder::{FOLLOW, NOFOLLOW, refused, root},
};
use wasip2::{
    clocks::wall_clock::Datetime,
    filesystem::types::{DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, NewTimestamp},
};

pub(crate) const CASES: &[Case] = cases![
    files,
    folders,
    missing,
    below_a_file,
    times,
    times_of_the_granted_folder,
    times_one,
    times_now,
    times_of_a_link,
    hashes
];

const ACCESSED: Datetime = Datetime { seconds: 42, nanoseconds: 1 };
const MODIFIED: Datetime = Datetime { seconds: 69, nanoseconds: 2 };

fn files() {
    let root = root();
    for found in [root.read_only("a.txt").stat().unwrap(), root.stat_at(NOFOLLOW, "a.txt").unwrap()] {
        assert_eq!((found.type_, found.size, found.link_count), (DescriptorType::RegularFile, 7, 1));
        let times = [found.data_access_timestamp, found.data_modification_timestamp, found.status_change_timestamp];
        assert!(
            times.into_iter().flatten().all(|time| time.seconds > 1_700_000_000 && time.nanoseconds < 1_000_000_000)
        );
    }
}

fn folders() {
    let root = root();
    assert_eq!(root.stat().unwrap().type_, DescriptorType::Directory);
    assert_eq!(format!("{:?}", root.stat()), format!("{:?}", root.stat_at(NOFOLLOW, ".")));
}

fn missing() {
    let root = root();
    for path in ["missing", ""] {
        refused(root.stat_at(NOFOLLOW, path), &[ErrorCode::NoEntry]);
        refused(root.metadata_hash_at(NOFOLLOW, path), &[ErrorCode::NoEntry]);
        let set = root.set_times_at(NOFOLLOW, path, NewTimestamp::Now, NewTimestamp::Now);
        refused(set, &[ErrorCode::NoEntry]);
    }
}

fn below_a_file() {
    let root = root();
    for path in ["a.txt/", "a.txt/.", "a.txt/below"] {
        refused(root.stat_at(NOFOLLOW, path), &[ErrorCode::NotDirectory]);
    }
    for path in [".", "below"] {
        refused(root.read_only("a.txt").stat_at(NOFOLLOW, path), &[ErrorCode::NotDirectory]);
    }
}

fn times() {
    let root = root();
    let file = root.read_only("a.txt");
    let (accessed, modified) = (NewTimestamp::Timestamp(ACCESSED), NewTimestamp::Timestamp(MODIFIED));
    file.set_times(accessed, modified).unwrap();
    assert_eq!(seen(&file.stat().unwrap()), ((42, 1), (69, 2)));
    root.set_times_at(NOFOLLOW, "b.txt", accessed, modified).unwrap();
    assert_eq!(seen(&root.stat_at(NOFOLLOW, "b.txt").unwrap()), ((42, 1), (69, 2)));
    let below = root.below("folder");
    below.set_times(accessed, modified).unwrap();
    assert_eq!(seen(&below.stat().unwrap()).1, (69, 2));
}

fn times_of_the_granted_folder() {
    let root = root();
    root.set_times(NewTimestamp::Timestamp(ACCESSED), NewTimestamp::Timestamp(MODIFIED)).unwrap();
    assert_eq!(seen(&root.stat().unwrap()).1, (69, 2));
}

fn times_one() {
    let file = root().create("a.txt");
    file.set_times(NewTimestamp::Timestamp(ACCESSED), NewTimestamp::Timestamp(MODIFIED)).unwrap();
    file.set_times(NewTimestamp::NoChange, NewTimestamp::Timestamp(ACCESSED)).unwrap();
    assert_eq!(seen(&file.stat().unwrap()), ((42, 1), (42, 1)));
    file.set_times(NewTimestamp::Timestamp(MODIFIED), NewTimestamp::NoChange).unwrap();
    assert_eq!(seen(&file.stat().unwrap()), ((69, 2), (42, 1)));
    file.set_times(NewTimestamp::NoChange, NewTimestamp::NoChange).unwrap();
    assert_eq!(seen(&file.stat().unwrap()), ((69, 2), (42, 1)));
}

fn times_now() {
    let file = root().create("a.txt");
    file.set_times(NewTimestamp::Timestamp(ACCESSED), NewTimestamp::Timestamp(MODIFIED)).unwrap();
    file.set_times(NewTimestamp::NoChange, NewTimestamp::Now).unwrap();
    let (accessed, modified) = seen(&file.stat().unwrap());
    assert_eq!(accessed, (42, 1));
    assert!(modified.0 > 1_700_000_000);
}

fn times_of_a_link() {
    let root = root();
    root.symlink_at("a.txt", "link").unwrap();
    let (accessed, modified) = (NewTimestamp::Timestamp(ACCESSED), NewTimestamp::Timestamp(MODIFIED));
    root.set_times_at(NOFOLLOW, "link", accessed, modified).unwrap();
    assert_eq!(seen(&root.stat_at(NOFOLLOW, "link").unwrap()).1, (69, 2));
    assert_ne!(seen(&root.stat_at(NOFOLLOW, "a.txt").unwrap()).1, (69, 2));
    root.set_times_at(FOLLOW, "link", accessed, modified).unwrap();
    assert_eq!(seen(&root.stat_at(NOFOLLOW, "a.txt").unwrap()).1, (69, 2));
}

/// Equal for one file, by whatever name and opening; different for two.
fn hashes() {
    let root = root();
    let value = |hash: MetadataHashValue| (hash.lower, hash.upper);
    let a = value(root.read_only("a.txt").metadata_hash().unwrap());
    root.link_at(NOFOLLOW, "a.txt", &root, "link").unwrap();
    for path in ["a.txt", "./a.txt", "link"] {
        assert_eq!(value(root.metadata_hash_at(NOFOLLOW, path).unwrap()), a, "{path}");
    }
    assert_ne!(value(root.metadata_hash_at(NOFOLLOW, "b.txt").unwrap()), a);
    assert_ne!(value(root.metadata_hash().unwrap()), a);
    root.symlink_at("a.txt", "symbolic").unwrap();
    assert_eq!(value(root.metadata_hash_at(FOLLOW, "symbolic").unwrap()), a);
    assert_ne!(value(root.metadata_hash_at(NOFOLLOW, "symbolic").unwrap()), a);
}

/// The times of access and change, as seconds and nanoseconds.
fn seen(stat: &DescriptorStat) -> ((u64, u32), (u64, u32)) {
    let pair = |time: Option<Datetime>| time.map(|time| (time.seconds, time.nanoseconds)).unwrap();
    (pair(stat.data_access_timestamp), pair(stat.data_modification_timestamp))
}
