//! Reads how much room a disk has. A network's file system may hang, and a thread that reads it then hangs, too. So there is
//! one read at a time, which all callers share, and the thread is one that nothing waits for: neither other blocking work
//! nor the end of the process.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::time::timeout;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::sync::oneshot;

use super::situation::Disk;

/// The room on the disk of a folder. Clones share the read in progress.
#[derive(Clone)]
pub(super) struct DiskGauge {
    folder: Arc<Path>,
    read: Arc<ReadFree>,
    in_progress: Arc<Mutex<Option<Reading>>>,
}

/// Reads the free bytes on the disk of a folder.
type ReadFree = dyn Fn(&Path) -> Option<u64> + Send + Sync;

/// A read that several callers may wait for.
type Reading = Shared<BoxFuture<'static, Option<u64>>>;

impl DiskGauge {
    /// The gauge of the disk with this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self::reading(folder, |folder| {
            let seen = rustix::fs::statvfs(folder).ok()?;
            Some(seen.f_bavail.saturating_mul(seen.f_frsize))
        })
    }

    fn reading(folder: PathBuf, read: impl Fn(&Path) -> Option<u64> + Send + Sync + 'static) -> Self {
        Self { folder: folder.into(), read: Arc::new(read), in_progress: Arc::default() }
    }

    /// The free bytes; `None` if they cannot be read in this time.
    pub(super) async fn free(&self, patience: Duration) -> Option<Disk> {
        let free = timeout(patience, self.current()).await.ok()??;
        Some(Disk { folder: self.folder.to_path_buf(), free })
    }

    /// The read in progress, or else a new one.
    fn current(&self) -> Reading {
        // The lock guards one value, of which every change is whole.
        let mut in_progress = self.in_progress.lock().unwrap_or_else(PoisonError::into_inner);
        match &*in_progress {
            // A read has a result once somebody waited for it to the end.
            Some(reading) if reading.peek().is_none() => reading.clone(),
            _ => in_progress.insert(self.start()).clone(),
        }
    }

    fn start(&self) -> Reading {
        let (sender, receiver) = oneshot::channel();
        let (folder, read) = (self.folder.clone(), self.read.clone());
        let started = std::thread::Builder::new().name("disk".into()).spawn(move || {
            // Nobody may wait any more.
            let _ = sender.send(read(&folder));
        });
        // Without a thread, the sender is gone, and nothing is known.
        drop(started);
        receiver.map(|free| free.ok().flatten()).boxed().shared()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[actix_rt::test]
    async fn a_disk_that_hangs_is_read_by_one_thread_and_is_unknown_until_it_answers() {
        let (answers, answer) = mpsc::channel::<u64>();
        let answer = Mutex::new(answer);
        let reads = Arc::new(AtomicU32::new(0));
        let counted = reads.clone();
        let gauge = DiskGauge::reading("data".into(), move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            answer.lock().unwrap().recv().ok()
        });
        for _ in 0..20 {
            assert!(gauge.clone().free(Duration::from_millis(1)).await.is_none());
        }
        answers.send(7).unwrap();
        assert_eq!(gauge.free(LONG).await.unwrap().free, 7);
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        answers.send(8).unwrap();
        let (one, two) = futures_util::join!(gauge.free(LONG), gauge.free(LONG));
        assert_eq!((one.unwrap().free, two.unwrap().free), (8, 8));
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    #[actix_rt::test]
    async fn the_room_of_a_real_folder_is_known_and_that_of_none_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(DiskGauge::new(folder.path().into()).free(LONG).await.is_some());
        assert!(DiskGauge::new(folder.path().join("none")).free(LONG).await.is_none());
    }
}
