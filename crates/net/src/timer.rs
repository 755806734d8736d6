//! A deadline that is moved with each request and hardly ever comes.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    task::coop::has_budget_remaining,
    time::{Instant, Sleep, sleep_until},
};

/// A timer for deadlines that move. The runtime's own is left where it stands as long as that is early enough,
/// and looked at again when it fires too early: once in a timeout, where moving it would cost at each request.
#[derive(Debug, Default)]
pub struct Timer {
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Who will be woken by it.
    waker: Option<Waker>,
}

impl Timer {
    /// Sets the deadline.
    pub fn set(&mut self, due: Instant) {
        self.due = Some(due);
    }

    /// Sets the deadline unless one is set.
    pub fn set_once(&mut self, due: impl FnOnce() -> Instant) {
        self.due.get_or_insert_with(due);
    }

    /// The deadline, if one is set.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes the deadline away.
    pub fn stop(&mut self) {
        self.due = None;
    }

    /// Ready when the deadline has passed, and takes it away then; pending for ever if there is none.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        // To a task that has used up its budget, the runtime reports each timer as pending: a peer that sends without
        // end would never meet its deadline.
        if !has_budget_remaining() && Instant::now() >= due {
            self.due = None;
            return Poll::Ready(());
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
            self.waker = None;
        }
        loop {
            let waits = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
            if waits && !sleep.is_elapsed() {
                return Poll::Pending;
            }
            if sleep.as_mut().poll(cx).is_pending() {
                // Without a budget, the runtime has scheduled another poll and has not registered the timer.
                self.waker = has_budget_remaining().then(|| cx.waker().clone());
                return Poll::Pending;
            }
            self.waker = None;
            if Instant::now() >= due {
                self.due = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::task::coop::poll_proceed;

    use super::*;

    async fn come(timer: &mut Timer) -> Instant {
        poll_fn(|cx| timer.poll(cx)).await;
        Instant::now()
    }

    fn pending(timer: &mut Timer) -> bool {
        timer.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_at_the_last_deadline_set() {
        let mut timer = Timer::default();
        assert!(pending(&mut timer), "no deadline never comes");
        let later = Instant::now() + Duration::from_millis(40);
        timer.set(Instant::now());
        timer.set(later);
        assert!(come(&mut timer).await >= later);
        assert!(pending(&mut timer), "it comes once");
    }

    async fn use_up_budget() {
        poll_fn(|cx| {
            while let Poll::Ready(unit) = poll_proceed(cx) {
                unit.made_progress();
            }
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_task_without_budget_meets_its_deadline_and_is_woken_by_one_to_come() {
        let mut timer = Timer::default();
        timer.set(Instant::now());
        use_up_budget().await;
        assert!(!pending(&mut timer), "it has passed");
        let later = Instant::now() + Duration::from_millis(20);
        timer.set(later);
        assert!(come(&mut timer).await >= later);
    }

    #[tokio::test]
    async fn a_deadline_may_move_nearer_and_away() {
        let mut timer = Timer::default();
        let now = Instant::now();
        timer.set(now + Duration::from_secs(3600));
        assert!(pending(&mut timer));
        timer.set(now);
        come(&mut timer).await;
        timer.set(now);
        assert!(!pending(&mut timer), "it has passed");
        timer.set(now);
        timer.stop();
        assert!(pending(&mut timer), "it was taken away");
        timer.set(now);
        timer.set_once(|| now + Duration::from_secs(3600));
        come(&mut timer).await;
    }
}
