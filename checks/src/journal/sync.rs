//! Syncs the file in the background.
//!
//! A killed process loses nothing that it wrote. A machine that stops loses what is not synced. A
//! thread of its own waits for the disk.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

pub(super) struct Syncer {
    ask: Option<SyncSender<()>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn new(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (ask, asked) = sync_channel(1);
        let failed = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&failed);
        let thread = std::thread::spawn(move || {
            while asked.recv().is_ok() {
                if file.sync_data().is_err() {
                    failing.store(true, Ordering::Relaxed);
                }
            }
        });
        Ok(Self { ask: Some(ask), failed, thread: Some(thread) })
    }

    /// Requests a sync; returns the error of an earlier one. A request that is still pending is not
    /// repeated.
    pub(super) fn ask(&self) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) {
            return Err(io::Error::other("an earlier sync failed"));
        }
        if let Some(ask) = &self.ask {
            let _ = ask.try_send(());
        }
        Ok(())
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
