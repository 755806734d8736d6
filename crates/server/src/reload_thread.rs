//! The reload thread: loads, compiles and frees configurations.
//!
//! It is one thread for the lifetime of the process, so that the allocator reuses for each reload the memory that the
//! previous one freed. It runs at a lower priority than the workers, which may share its core.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use tokio::sync::oneshot;

use net::return_free_memory;

type Job = Box<dyn FnOnce() + Send>;

/// Niceness of the thread: about a thirtieth of a core that is otherwise busy.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// Handle of the thread, which runs jobs in the order of their submission.
#[derive(Clone, Debug)]
pub struct ReloadThread(mpsc::Sender<Job>);

/// A job panicked, or the thread has exited.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JobFailed(String);

impl ReloadThread {
    /// Spawns the thread; it exits when all handles are dropped.
    ///
    /// # Errors
    /// When the system cannot create a thread.
    pub fn spawn() -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new().name("reload".to_owned()).spawn(move || jobs.iter().for_each(|job| job()))?;
        Ok(ReloadThread(sender))
    }

    /// Queues a job and returns its result. The job runs even if the returned future is dropped.
    ///
    /// # Errors
    /// When the job panics.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JobFailed> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Unwind safety: the job owns its data, so no other code observes a partial update.
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        });
        let exited = || JobFailed("the thread for reloads is gone".to_owned());
        self.0.send(job).map_err(|_| exited())?;
        result.await.map_err(|_| exited())?.map_err(|panic| JobFailed(panic_message(&*panic)))
    }

    /// Lowers the priority of the thread.
    pub async fn lower_priority(&self) {
        // On Linux, niceness belongs to the calling thread alone. An error leaves it at the workers' priority.
        #[cfg(target_os = "linux")]
        let _ = self.run(|| rustix::process::nice(NICENESS)).await;
    }

    /// Returns free heap memory to the system.
    pub async fn trim_heap(&self) {
        let _ = self.run(|| return_free_memory(true)).await;
    }

    /// Evicts the program's code pages from memory. The next request faults in those it needs, which adds latency.
    pub async fn evict_code_pages(&self) {
        #[cfg(target_os = "linux")]
        let _ = self.run(super::code_pages::evict_code_pages).await;
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_reported_and_the_next_job_runs() {
        let thread = ReloadThread::spawn().expect("a thread");
        let failed = thread.run(|| panic!("no {}", "luck")).await;
        assert_eq!(failed.map_err(|e| e.to_string()), Err::<(), _>("no luck".to_owned()));
        thread.lower_priority().await;
        thread.trim_heap().await;
        thread.evict_code_pages().await;
        assert_eq!(
            thread.run(|| thread::current().name().map(str::to_owned)).await.ok().flatten().as_deref(),
            Some("reload")
        );
    }
}
