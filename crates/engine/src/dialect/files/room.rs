//! Room in a volume, taken before something is written and given back where it was not.
//!
//! What is removed, replaced or truncated gives nothing back at once: what it held is known only before it happens, and a guest
//! that races itself would be given back more than that. A volume that seems full is measured instead, and since it is not
//! measured at every wish, a charge waits a little before it is refused.

use bytes::{Buf, Bytes};
use rustix::io::Errno;
use sandbar_grants::{QuotaExceeded, Volume};
use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc, time::Duration};
use tokio::{task::spawn_blocking, time::sleep};

/// How long a charge waits for a volume to be measured, step by step. Together they are longer than a volume's pause.
const WAITS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(150)];

/// Where in a file a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// At this byte.
    Offset(u64),
    /// At its end.
    End,
}

/// By how many bytes a file of `size` grows when `length` bytes are written.
pub(crate) fn growth(size: u64, at: At, length: u64) -> u64 {
    match at {
        _ if length == 0 => 0,
        At::Offset(offset) => offset.saturating_add(length).saturating_sub(size),
        At::End => length,
    }
}

/// Room that was taken. Dropped, it is given back; what was written keeps it.
#[must_use]
pub(crate) struct Room {
    volume: Option<Arc<Volume>>,
    bytes: u64,
}

impl Room {
    /// Takes room; as much as is asked for where there is no volume.
    ///
    /// # Errors
    /// There is not enough.
    pub(crate) async fn take(volume: Option<Arc<Volume>>, bytes: u64) -> Result<Room, QuotaExceeded> {
        let Some(bounded) = volume.as_ref().filter(|_| bytes > 0) else {
            return Ok(Room { volume: None, bytes: 0 });
        };
        let quota_bytes = bounded.quota_bytes();
        if bytes > quota_bytes {
            return Err(QuotaExceeded { quota_bytes });
        }
        let mut taken = Err(QuotaExceeded { quota_bytes });
        for wait in WAITS {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            taken = charge(bounded, bytes).await;
            if taken.is_ok() {
                break;
            }
        }
        taken.map(|()| Room { volume, bytes })
    }

    /// Keeps all of it.
    pub(crate) fn keep_all(mut self) {
        self.bytes = 0;
    }

    /// Keeps what was used.
    pub(crate) fn keep(mut self, used: u64) {
        self.bytes = self.bytes.saturating_sub(used);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(volume) = self.volume.as_ref().filter(|_| self.bytes > 0) {
            volume.release(self.bytes);
        }
    }
}

/// Charges on this thread what fits; a volume that seems full is measured first, which blocks.
async fn charge(volume: &Arc<Volume>, bytes: u64) -> Result<(), QuotaExceeded> {
    if volume.used_bytes().saturating_add(bytes) <= volume.quota_bytes() {
        return volume.charge(bytes);
    }
    let (full, quota_bytes) = (volume.clone(), volume.quota_bytes());
    spawn_blocking(move || full.charge(bytes)).await.unwrap_or(Err(QuotaExceeded { quota_bytes }))
}

/// Writes once, within the volume.
pub(crate) async fn write_some(
    file: &Arc<File>,
    at: At,
    bytes: Bytes,
    volume: Option<&Arc<Volume>>,
) -> io::Result<usize> {
    let size = if volume.is_some() { file.metadata()?.len() } else { 0 };
    let room = Room::take(volume.cloned(), growth(size, at, bytes.len() as u64)).await;
    let room = room.map_err(|QuotaExceeded { .. }| io::Error::from(Errno::DQUOT))?;
    let file = file.clone();
    let count = spawn_blocking(move || write_at(&file, at, &bytes)).await.map_err(io::Error::other)??;
    room.keep(growth(size, at, count as u64));
    Ok(count)
}

/// Writes all, within the volume.
pub(crate) async fn write_all(
    file: Arc<File>,
    mut at: At,
    mut bytes: Bytes,
    volume: Option<Arc<Volume>>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = write_some(&file, at, bytes.clone(), volume.as_ref()).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes.advance(count.min(bytes.len()));
        if let At::Offset(offset) = &mut at {
            *offset = offset.saturating_add(count as u64);
        }
    }
    Ok(())
}

/// Whether an error says that a quota is used up.
pub(crate) fn is_quota(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::DQUOT.raw_os_error())
}

fn write_at(file: &File, at: At, bytes: &[u8]) -> io::Result<usize> {
    match at {
        At::Offset(offset) => file.write_at(bytes, offset),
        At::End => append(file, bytes),
    }
}

/// Appends as one step, so that sandboxes that log into one file don't overwrite each other.
#[cfg(target_os = "linux")]
fn append(file: &File, bytes: &[u8]) -> io::Result<usize> {
    use rustix::io::{ReadWriteFlags, pwritev2};
    Ok(pwritev2(file, &[io::IoSlice::new(bytes)], 0, ReadWriteFlags::APPEND)?)
}

/// Appends in two steps: this system has no call for one.
#[cfg(not(target_os = "linux"))]
fn append(file: &File, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(bytes, file.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_grows_by_what_lies_past_its_end() {
        for (size, at, length, expected) in [
            (10, At::Offset(0), 10, 0),
            (10, At::Offset(5), 10, 5),
            (10, At::Offset(20), 5, 15),
            (10, At::Offset(20), 0, 0),
            (0, At::Offset(u64::MAX), 2, u64::MAX),
            (10, At::End, 7, 7),
        ] {
            assert_eq!(growth(size, at, length), expected, "{size} {at:?} {length}");
        }
    }

    #[tokio::test]
    async fn room_that_is_not_used_is_given_back() {
        let folder = std::env::temp_dir().join(format!("sandbar-room-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let volume = Arc::new(Volume::open(&folder, 1000).unwrap());
        let take = |bytes| Room::take(Some(volume.clone()), bytes);
        drop(take(600).await.unwrap());
        assert_eq!(volume.used_bytes(), 0);
        take(600).await.unwrap().keep(100);
        assert_eq!(volume.used_bytes(), 100);
        assert!(take(1001).await.is_err());
        take(900).await.unwrap().keep_all();
        assert_eq!(volume.used_bytes(), 1000);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_write_over_the_quota_writes_nothing() {
        let folder = std::env::temp_dir().join(format!("sandbar-write-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let volume = Arc::new(Volume::open(&folder, 1000).unwrap());
        let path = folder.join("file");
        let file = Arc::new(File::create(&path).unwrap());
        let write = |at, byte, count| write_all(file.clone(), at, vec![byte; count].into(), Some(volume.clone()));
        write(At::Offset(0), 1, 600).await.unwrap();
        assert!(is_quota(&write(At::End, 2, 600).await.unwrap_err()));
        assert_eq!(std::fs::read(&path).unwrap(), [1; 600]);
        write(At::Offset(100), 3, 500).await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
