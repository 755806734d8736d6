//! Background work of plugins.
//!
//! ```text
//!  new configuration:  plugin instance is new ----> Plugin::start(&Tasks) ----> tasks run on this worker
//!                      plugin instance is reused -> its tasks continue
//!                      plugin instance is gone ---> its tasks are cancelled
//! ```
//!
//! Each worker starts the tasks of a plugin instance once, when it has the first configuration with that instance. A reload
//! that keeps the plugin therefore does not restart its periods. Tasks end with the worker's runtime.

use std::{fmt, future::Future, pin::pin, sync::Arc, time::Duration};

use ahash::AHashMap;
use store::catch_panic;
use tokio::{task::spawn_local, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::WorkerHandle;

/// Starts the background work of one plugin instance on one worker.
///
/// ```
/// use std::time::Duration;
/// use plugin::Tasks;
///
/// fn start(tasks: &Tasks) {
///     // On every worker.
///     tasks.every("ping", Duration::from_secs(30), |worker| async move {
///         worker.local("pings", || std::cell::Cell::new(0)).update(|count| count + 1);
///     });
///     // On one worker of the process.
///     tasks.leader().every("refresh-keys", Duration::from_secs(300), |worker| async move {
///         let request = http::Request::get("https://id.example/keys").body(()).expect("a well-formed request");
///         if let Err(error) = worker.http().send(request).await {
///             // Logged; the next period tries again.
///             drop(error);
///         }
///     });
/// }
/// ```
#[derive(Clone)]
pub struct Tasks {
    worker: WorkerHandle,
    /// Name in log lines and of leases: the same in every worker.
    name: Arc<str>,
    cancelled: CancellationToken,
    is_leader_only: bool,
}

impl Tasks {
    /// Returns the worker that the tasks run on.
    pub fn worker(&self) -> &WorkerHandle {
        &self.worker
    }

    /// Returns a handle whose tasks run on one worker of the process at a time: the first that holds the lease of the task.
    /// When that worker ends, another one starts the task.
    pub fn leader(&self) -> Tasks {
        Tasks { is_leader_only: true, ..self.clone() }
    }

    /// Runs a future until it completes. `task` names it in log lines, and its lease. A panic ends the task and is logged.
    pub fn spawn<F>(&self, task: &'static str, work: impl FnOnce(WorkerHandle) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let this = self.clone();
        self.start(task, async move {
            if let Err(panic) = catch_panic(async { work(this.worker.clone()).await }).await {
                tracing::error!("{}: the task {task} has panicked: {panic}", this.name);
            }
        });
    }

    /// Runs a future repeatedly: the first time after a period, then one period after the last run has completed. A panic
    /// ends one run and is logged.
    pub fn every<F>(
        &self,
        task: &'static str,
        period: Duration,
        mut work: impl FnMut(WorkerHandle) -> F + 'static,
    ) where
        F: Future<Output = ()> + 'static,
    {
        let this = self.clone();
        self.start(task, async move {
            loop {
                sleep(period).await;
                if let Err(panic) = catch_panic(async { work(this.worker.clone()).await }).await {
                    tracing::error!("{}: a run of the task {task} has panicked: {panic}", this.name);
                }
            }
        });
    }

    fn start(&self, task: &'static str, work: impl Future<Output = ()> + 'static) {
        let this = self.clone();
        spawn_local(async move {
            let leading = async {
                let _lease = match this.is_leader_only {
                    true => {
                        let name = format!("{}/{task}", this.name);
                        Some(this.worker.leases().claim(&name, this.worker.number()).await)
                    }
                    false => None,
                };
                work.await;
            };
            this.cancelled.run_until_cancelled(pin!(leading)).await;
        });
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The running tasks of one worker, by plugin instance. The worker owns it; dropping it cancels all tasks.
pub struct WorkerTasks<P: ?Sized> {
    worker: WorkerHandle,
    /// By the address of the instance, which cannot be reused while the instance is held.
    running: AHashMap<*const (), Running<P>>,
}

/// The tasks of one plugin instance; cancelled when it is dropped.
struct Running<P: ?Sized> {
    _instance: Arc<P>,
    _cancel: DropGuard,
}

impl<P: ?Sized> WorkerTasks<P> {
    /// Creates it without tasks.
    pub fn new(worker: WorkerHandle) -> Self {
        WorkerTasks { worker, running: AHashMap::new() }
    }

    /// Adopts the plugin instances of a new configuration that have background work: calls `start` for those that are new,
    /// and cancels the tasks of those that are gone. The name of an instance is the same in all workers, such as the name
    /// of the plugin with the id of its row. Must be called on the worker's runtime.
    pub fn adopt(
        &mut self,
        instances: impl IntoIterator<Item = (Arc<str>, Arc<P>)>,
        start: impl Fn(&P, &Tasks),
    ) {
        let mut former = std::mem::take(&mut self.running);
        for (name, instance) in instances {
            let address = Arc::as_ptr(&instance).cast();
            let running = former.remove(&address).unwrap_or_else(|| {
                let cancelled = CancellationToken::new();
                let worker = self.worker.clone();
                start(
                    &instance,
                    &Tasks { worker, name, cancelled: cancelled.clone(), is_leader_only: false },
                );
                Running { _instance: instance, _cancel: cancelled.drop_guard() }
            });
            self.running.insert(address, running);
        }
    }
}

impl<P: ?Sized> fmt::Debug for WorkerTasks<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerTasks").field("instances", &self.running.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
    };

    use client::Client;
    use store::Stores;
    use tokio::{
        runtime::{Builder, LocalOptions},
        task::yield_now,
    };

    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    /// Plugin that writes down its runs.
    struct Ticker(&'static str);

    type Log = Rc<RefCell<Vec<&'static str>>>;

    fn ticker(name: &'static str) -> (Arc<str>, Arc<Ticker>) {
        (name.into(), Arc::new(Ticker(name)))
    }

    /// Runs a test on a runtime as workers have it, with paused time.
    fn on_worker<F: Future<Output = ()>>(test: impl FnOnce(WorkerHandle, Log) -> F) {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build_local(LocalOptions::default()).unwrap();
        let worker = WorkerHandle::new(0, &Stores::default(), Client::default());
        runtime.block_on(test(worker, Log::default()));
    }

    fn tick(log: &Log) -> impl Fn(&Ticker, &Tasks) + use<> {
        let log = Rc::clone(log);
        move |ticker, tasks| {
            let (log, name) = (Rc::clone(&log), ticker.0);
            tasks.every("tick", PERIOD, move |_| {
                log.borrow_mut().push(name);
                std::future::ready(())
            });
        }
    }

    #[test]
    fn periods_of_an_instance_that_is_reused_continue() {
        on_worker(|worker, log| async move {
            let mut tasks = WorkerTasks::new(worker);
            let (a, b) = (ticker("a"), ticker("b"));
            tasks.adopt([a.clone(), b], tick(&log));
            sleep(PERIOD * 3 / 4).await;
            // `a` is kept, `b` is replaced by `c`.
            tasks.adopt([a, ticker("c")], tick(&log));
            sleep(PERIOD / 2).await;
            assert_eq!(*log.borrow(), ["a"], "b is cancelled, and the period of c has begun later");
            sleep(PERIOD * 5 / 8).await;
            assert_eq!(*log.borrow(), ["a", "c"]);
            drop(tasks);
            sleep(PERIOD * 3).await;
            assert_eq!(*log.borrow(), ["a", "c"], "all are cancelled");
        });
    }

    #[test]
    fn a_period_starts_when_the_last_run_has_completed() {
        on_worker(|worker, log| async move {
            let mut tasks = WorkerTasks::new(worker);
            let of_runs = Rc::clone(&log);
            tasks.adopt([ticker("a")], move |_, tasks| {
                let log = Rc::clone(&of_runs);
                tasks.every("slow", PERIOD, move |_| {
                    let log = Rc::clone(&log);
                    async move {
                        log.borrow_mut().push("start");
                        sleep(PERIOD * 2).await;
                        log.borrow_mut().push("end");
                    }
                });
            });
            sleep(PERIOD * 7 / 2).await;
            assert_eq!(*log.borrow(), ["start", "end"]);
            sleep(PERIOD).await;
            assert_eq!(*log.borrow(), ["start", "end", "start"]);
        });
    }

    #[test]
    fn a_panic_ends_one_run() {
        on_worker(|worker, log| async move {
            let mut tasks = WorkerTasks::new(worker);
            let (of_runs, first) = (Rc::clone(&log), Rc::new(Cell::new(true)));
            tasks.adopt([ticker("a")], move |_, tasks| {
                let (log, first) = (Rc::clone(&of_runs), Rc::clone(&first));
                tasks.every("fragile", PERIOD, move |_| {
                    assert!(!first.replace(false), "the first run");
                    log.borrow_mut().push("second");
                    std::future::ready(())
                });
                tasks.spawn("broken", |_| async { panic!("broken") });
            });
            sleep(PERIOD * 5 / 2).await;
            assert_eq!(*log.borrow(), ["second"]);
        });
    }

    #[test]
    fn a_task_of_the_leader_runs_on_one_worker_and_moves_when_it_ends() {
        let stores = Stores::default();
        let runs = Arc::new(Mutex::new(Vec::new()));
        let (ran, has_run) = mpsc::channel();
        let start = |number: usize| {
            let (stores, runs, ran) = (stores.clone(), Arc::clone(&runs), ran.clone());
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let thread = std::thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
                runtime.unwrap().block_on(async move {
                    let mut tasks = WorkerTasks::new(WorkerHandle::new(number, &stores, Client::default()));
                    tasks.adopt([ticker("a")], move |_, tasks| {
                        let (runs, ran) = (Arc::clone(&runs), ran.clone());
                        tasks.leader().spawn("lead", move |worker| async move {
                            runs.lock().unwrap().push(worker.number());
                            ran.send(()).unwrap();
                            std::future::pending().await
                        });
                    });
                    let _ = stopped.await;
                    // The tasks are not cancelled before the runtime ends, as when a worker ends.
                    std::mem::forget(tasks);
                });
            });
            (stop, thread)
        };
        let wait = || has_run.recv_timeout(Duration::from_secs(30)).unwrap();
        let (stop_first, first) = start(0);
        wait();
        let (stop_second, second) = start(1);
        assert_eq!(*runs.lock().unwrap(), [0]);
        drop(stop_first);
        first.join().unwrap();
        wait();
        assert_eq!(*runs.lock().unwrap(), [0, 1]);
        drop(stop_second);
        second.join().unwrap();
    }

    #[test]
    fn the_leader_keeps_its_lease_when_the_plugin_is_replaced() {
        on_worker(|worker, _| async move {
            let lead = |count: &Arc<AtomicUsize>| {
                let count = Arc::clone(count);
                move |_: &Ticker, tasks: &Tasks| {
                    let count = Arc::clone(&count);
                    tasks.leader().spawn("lead", |_| async move {
                        count.fetch_add(1, Ordering::Relaxed);
                        std::future::pending().await
                    });
                }
            };
            let other = WorkerHandle::new(
                1,
                &Stores { leases: worker.leases().clone(), ..Stores::default() },
                Client::default(),
            );
            let (of_first, of_second) = (Arc::default(), Arc::default());
            let (mut first, mut second) = (WorkerTasks::new(worker), WorkerTasks::new(other));
            first.adopt([ticker("a")], lead(&of_first));
            yield_now().await;
            second.adopt([ticker("a")], lead(&of_second));
            sleep(PERIOD).await;
            first.adopt([ticker("a")], lead(&of_first));
            sleep(PERIOD).await;
            assert_eq!((of_first.load(Ordering::Relaxed), of_second.load(Ordering::Relaxed)), (2, 0));
        });
    }
}
