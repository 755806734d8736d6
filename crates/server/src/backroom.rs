//! The thread for what takes long and is no request's business: loading, compiling, freeing.
//!
//! It is one thread for the life of the process, so that what one reload frees the next one uses, and it
//! steps back for the workers where they share a core.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use tokio::sync::oneshot;

use net::give_back;

type Job = Box<dyn FnOnce() + Send>;

/// How far the thread steps back: a thirtieth of a core that others want all the time.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 15;

/// A thread that does one job after another.
#[derive(Clone, Debug)]
pub struct Backroom(mpsc::Sender<Job>);

/// A job did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl Backroom {
    /// Starts the thread; it ends when all handles are gone.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn open() -> std::io::Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new().name("reload".to_owned()).spawn(move || jobs.iter().for_each(|job| job()))?;
        Ok(Backroom(sender))
    }

    /// Does a job after those that wait, and tells its result. The job is done even if nobody waits for that.
    ///
    /// # Errors
    /// When the job panics.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The job owns all it works on: nothing half done is seen by anyone.
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        });
        let gone = || Broken("the thread for reloads is gone".to_owned());
        self.0.send(job).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?.map_err(|panic| Broken(reason(&*panic)))
    }

    /// Makes the thread step back for others on its core from now on.
    pub async fn step_back(&self) {
        // Of this thread alone, on Linux. Refused, it competes with the workers.
        #[cfg(target_os = "linux")]
        let _ = self.run(|| rustix::process::nice(NICENESS)).await;
    }

    /// Gives memory that is free back to the system.
    pub async fn give_back(&self) {
        let _ = self.run(|| give_back(true)).await;
    }

    /// Has the program's code leave memory. What requests need comes back with the next one, which takes it a while.
    pub async fn release_code(&self) {
        #[cfg(target_os = "linux")]
        let _ = self.run(super::footprint::release_code).await;
    }
}

fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_told_and_the_next_one_is_done() {
        let room = Backroom::open().expect("a thread");
        let broken = room.run(|| panic!("no {}", "luck")).await;
        assert_eq!(broken.map_err(|e| e.to_string()), Err::<(), _>("no luck".to_owned()));
        room.step_back().await;
        room.give_back().await;
        room.release_code().await;
        assert_eq!(
            room.run(|| thread::current().name().map(str::to_owned)).await.ok().flatten().as_deref(),
            Some("reload")
        );
    }
}
