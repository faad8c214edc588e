//! How many bytes may lie below a folder.
//!
//! A volume counts what is charged and, before it refuses, measures what is there: so what was deleted, by the guest or by
//! somebody else, gives its room back without anyone keeping books over every removal. A file counts as long as it says, or
//! as its blocks are where those are more: a sparse file can't promise room that isn't there, and bytes that the file system
//! has not laid out yet are not missed. Each entry also counts [`ENTRY_BYTES`], so that empty files have an end too.
//!
//! The bound has a slack: a charge whose write is still under way while the folder is measured may be missed until the next
//! time. What writes past this host, or through an entry that has no quota, is seen when the folder is measured.

use crate::GrantError;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, open, statat},
    io::Errno,
};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fmt, io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What a file, folder or link counts beside its content, in bytes.
pub const ENTRY_BYTES: u64 = 256;

/// The least time between two measurements.
const MEASURE_PAUSE: Duration = Duration::from_millis(200);

/// A folder whose bytes are bounded.
#[derive(Debug)]
pub struct Volume {
    path: PathBuf,
    quota_bytes: u64,
    used: AtomicU64,
    /// When it was last measured; holding it is the right to measure.
    measured: Mutex<Instant>,
    pause: Duration,
}

/// A charge that a volume has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaExceeded {
    /// The bound of the volume.
    pub quota_bytes: u64,
}

impl fmt::Display for QuotaExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the folder's quota of {} bytes is used up", self.quota_bytes)
    }
}

impl std::error::Error for QuotaExceeded {}

impl Volume {
    /// Measures a folder and bounds it. Walks the folder: call it where blocking is fine.
    ///
    /// # Errors
    /// What the system says to reading the folder, or a folder below it.
    pub fn open(path: &Path, quota_bytes: u64) -> io::Result<Volume> {
        Volume::with_pause(path, quota_bytes, MEASURE_PAUSE)
    }

    fn with_pause(path: &Path, quota_bytes: u64, pause: Duration) -> io::Result<Volume> {
        let used = AtomicU64::new(measure(path)?);
        Ok(Volume { path: path.to_path_buf(), quota_bytes, used, measured: Mutex::new(Instant::now()), pause })
    }

    /// The bound, in bytes.
    pub fn quota_bytes(&self) -> u64 {
        self.quota_bytes
    }

    /// What is used now as far as known, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Takes room for `bytes` before they are written; a new entry takes [`ENTRY_BYTES`]. Only what a file grows by is to be
    /// charged, not what it is overwritten with. Before refusing it measures the folder, which blocks; five times a second at
    /// most, so that a guest that writes against a full volume doesn't keep the disk busy.
    ///
    /// # Errors
    /// There is no room; nothing was taken.
    pub fn charge(&self, bytes: u64) -> Result<(), QuotaExceeded> {
        if self.take(bytes) || (self.measure_again() && self.take(bytes)) {
            return Ok(());
        }
        Err(QuotaExceeded { quota_bytes: self.quota_bytes })
    }

    /// Gives room back at once: for a removal whose size is known, or for a charge whose write failed.
    pub fn release(&self, bytes: u64) {
        let _ = self.used.fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(bytes)));
    }

    fn take(&self, bytes: u64) -> bool {
        let room = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.quota_bytes);
        self.used.fetch_update(Relaxed, Relaxed, room).is_ok()
    }

    /// Measures unless it has just been done. Who comes while another measures waits for it, and then finds it done.
    fn measure_again(&self) -> bool {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if measured.elapsed() < self.pause {
            return true;
        }
        let before = self.used.load(Relaxed);
        let Ok(found) = measure(&self.path) else { return false };
        let settle = |now: u64| Some(found.saturating_add(now.saturating_sub(before)));
        let _ = self.used.fetch_update(Relaxed, Relaxed, settle);
        *measured = Instant::now();
        true
    }
}

/// The volumes of one app: entries for the same folder share one.
#[derive(Debug, Default)]
pub struct Volumes(Mutex<HashMap<PathBuf, Arc<Volume>>>);

impl Volumes {
    /// The volume of a folder, given by its canonical path.
    ///
    /// # Errors
    /// The folder can't be measured, or has another quota already.
    pub fn share(&self, path: &Path, quota_bytes: u64) -> Result<Arc<Volume>, GrantError> {
        let mut volumes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = volumes.get(path) {
            return match volume.quota_bytes == quota_bytes {
                true => Ok(volume.clone()),
                false => Err(GrantError::QuotaDiffers {
                    path: path.to_path_buf(),
                    first_bytes: volume.quota_bytes,
                    other_bytes: quota_bytes,
                }),
            };
        }
        let volume =
            Volume::open(path, quota_bytes).map_err(|error| GrantError::Folder { path: path.to_path_buf(), error })?;
        let volume = Arc::new(volume);
        volumes.insert(path.to_path_buf(), volume.clone());
        Ok(volume)
    }
}

/// Sums what lies below a folder. What vanishes meanwhile counts nothing, and a file with several names counts once. No link
/// is followed, also not one that a guest puts in a folder's place while this walks: a folder is entered only as the one that
/// was listed.
fn measure(path: &Path) -> io::Result<u64> {
    let mut sum = 0u64;
    let mut linked = HashSet::new();
    let mut folders = vec![(path.to_path_buf(), None)];
    while let Some((path, listed)) = folders.pop() {
        let Some(folder) = enter(&path, listed)? else { continue };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            if FileType::from_raw_mode(stat.st_mode).is_dir() {
                folders.push((path.join(OsStr::from_bytes(entry.file_name().to_bytes())), Some(identity(&stat))));
                sum = sum.saturating_add(ENTRY_BYTES);
            } else if stat.st_nlink < 2 || linked.insert(identity(&stat)) {
                sum = sum.saturating_add(content_bytes(&stat)).saturating_add(ENTRY_BYTES);
            }
        }
    }
    Ok(sum)
}

/// Opens a folder unless it is gone, or no longer the one that was listed. `None` for the first one, which nobody listed.
fn enter(path: &Path, listed: Option<(u64, u64)>) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match (open(path, flags, Mode::empty()), listed) {
        (Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP), Some(_)) => return Ok(None),
        (folder, _) => folder?,
    };
    let same = listed.is_none_or(|listed| fstat(&folder).is_ok_and(|stat| identity(&stat) == listed));
    Ok(same.then_some(folder))
}

/// The device and the number of a file.
#[allow(clippy::unnecessary_cast, reason = "the system decides how wide they are")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// How long a file says it is, or its blocks where those are more.
fn content_bytes(stat: &Stat) -> u64 {
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    length.max(u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs};

    fn folder(name: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("sandbar-volume-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("sub")).unwrap();
        path
    }

    #[test]
    fn a_full_volume_refuses_until_something_is_deleted() {
        let path = folder("full");
        fs::write(path.join("sub/old"), vec![1; 40_000]).unwrap();
        let old = measure(&path).unwrap();
        assert!((40_000 + 2 * ENTRY_BYTES..60_000).contains(&old), "{old}");
        let volume = Volume::with_pause(&path, old + 10_000, Duration::ZERO).unwrap();
        assert_eq!(volume.used_bytes(), old);
        fs::write(path.join("new"), vec![1; 5_000]).unwrap();
        assert_eq!(volume.charge(10_000), Ok(()), "it is believed until there is a doubt");
        assert_eq!(volume.charge(10_000), Err(QuotaExceeded { quota_bytes: old + 10_000 }));
        fs::remove_file(path.join("sub/old")).unwrap();
        assert_eq!(volume.charge(40_000), Ok(()), "what was deleted gives room back");
        volume.release(1_000);
        assert_eq!(volume.charge(u64::MAX), Err(QuotaExceeded { quota_bytes: old + 10_000 }));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn refusing_measures_only_now_and_then() {
        let path = folder("pause");
        fs::write(path.join("file"), vec![1; 10_000]).unwrap();
        let quota_bytes = measure(&path).unwrap();
        let volume = Volume::with_pause(&path, quota_bytes, Duration::MAX).unwrap();
        fs::remove_file(path.join("file")).unwrap();
        assert!(volume.charge(1).is_err(), "measured just now");
        volume.release(10);
        assert_eq!(volume.charge(10), Ok(()), "what is known to be gone counts at once");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn links_are_not_followed_and_names_not_counted_twice() {
        let path = folder("links");
        let empty = measure(&path).unwrap();
        assert_eq!(empty, ENTRY_BYTES);
        std::os::unix::fs::symlink("/", path.join("sub/root")).unwrap();
        let linked = measure(&path).unwrap();
        assert!((empty + ENTRY_BYTES..empty + 8_192).contains(&linked), "{linked}");
        fs::write(path.join("one"), vec![1; 5_000]).unwrap();
        let one = measure(&path).unwrap();
        fs::hard_link(path.join("one"), path.join("sub/two")).unwrap();
        assert_eq!(measure(&path).unwrap(), one);
        let sparse = fs::File::create(path.join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        assert!(measure(&path).unwrap() >= 1 << 40, "a sparse file counts as long as it says");
        let listed = identity(&rustix::fs::stat(path.join("sub")).unwrap());
        fs::rename(path.join("sub"), path.join("was")).unwrap();
        assert!(enter(&path.join("sub"), Some(listed)).unwrap().is_none(), "gone since");
        std::os::unix::fs::symlink("/", path.join("sub")).unwrap();
        assert!(enter(&path.join("sub"), Some(listed)).unwrap().is_none(), "a link in its place");
        assert!(enter(&path, Some(listed)).unwrap().is_none(), "another folder in its place");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn entries_for_one_folder_share_its_volume() {
        let path = folder("share");
        let volumes = Volumes::default();
        let first = volumes.share(&path, 1_000).unwrap();
        assert!(Arc::ptr_eq(&first, &volumes.share(&path, 1_000).unwrap()));
        let error = volumes.share(&path, 2_000).unwrap_err();
        assert_eq!(error.to_string(), format!("the folder `{}` has two quotas, 1000 and 2000 bytes", path.display()));
        fs::remove_dir_all(path).unwrap();
    }
}
