//! Deadline that is moved with each request, and rarely elapses.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    task::coop::has_budget_remaining,
    time::{Instant, Sleep, sleep_until},
};

/// Movable deadline of a task.
///
/// Moving tokio's timer costs at each request. It is therefore left at an earlier time, and reset when it fires early:
/// about once per timeout.
#[derive(Debug, Default)]
pub struct Deadline {
    deadline: Option<Instant>,
    /// tokio's timer, which fires at the deadline or before.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Waker that is registered with `sleep`.
    waker: Option<Waker>,
}

impl Deadline {
    /// Sets the deadline.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Sets the deadline unless one is set.
    pub fn reset_if_unset(&mut self, deadline: impl FnOnce() -> Instant) {
        self.deadline.get_or_insert_with(deadline);
    }

    /// Returns the deadline, if one is set.
    pub fn instant(&self) -> Option<Instant> {
        self.deadline
    }

    /// Clears the deadline.
    pub fn clear(&mut self) {
        self.deadline = None;
    }

    /// Polls whether the deadline has passed, and clears it then. Always pending without a deadline.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        // Check the clock without a budget: tokio's timer is always pending then, so that the deadline would never elapse
        // for a peer that sends continuously.
        if !has_budget_remaining() && Instant::now() >= deadline {
            self.deadline = None;
            return Poll::Ready(());
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
            self.waker = None;
        }
        loop {
            let is_registered = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
            if is_registered && !sleep.is_elapsed() {
                return Poll::Pending;
            }
            if sleep.as_mut().poll(cx).is_pending() {
                // Without a budget, the runtime has scheduled another poll and has not registered the timer.
                self.waker = has_budget_remaining().then(|| cx.waker().clone());
                return Poll::Pending;
            }
            self.waker = None;
            if Instant::now() >= deadline {
                self.deadline = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use tokio::task::coop::poll_proceed;

    use super::*;

    async fn elapsed(timer: &mut Deadline) -> Instant {
        poll_fn(|cx| timer.poll(cx)).await;
        Instant::now()
    }

    fn is_pending(timer: &mut Deadline) -> bool {
        timer.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn the_task_is_woken_at_the_last_deadline_set() {
        let mut timer = Deadline::default();
        assert!(is_pending(&mut timer), "no deadline is set");
        let later = Instant::now() + Duration::from_millis(40);
        timer.reset(Instant::now());
        timer.reset(later);
        assert!(elapsed(&mut timer).await >= later);
        assert!(is_pending(&mut timer), "it was cleared");
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
    async fn deadlines_elapse_for_a_task_without_budget() {
        let mut timer = Deadline::default();
        timer.reset(Instant::now());
        use_up_budget().await;
        assert!(!is_pending(&mut timer), "it has passed");
        let later = Instant::now() + Duration::from_millis(20);
        timer.reset(later);
        assert!(elapsed(&mut timer).await >= later);
    }

    #[tokio::test]
    async fn a_deadline_can_be_moved_earlier_and_cleared() {
        let mut timer = Deadline::default();
        let now = Instant::now();
        timer.reset(now + Duration::from_secs(3600));
        assert!(is_pending(&mut timer));
        timer.reset(now);
        elapsed(&mut timer).await;
        timer.reset(now);
        assert!(!is_pending(&mut timer), "it has passed");
        timer.reset(now);
        timer.clear();
        assert!(is_pending(&mut timer), "it was stopped");
        timer.reset(now);
        timer.reset_if_unset(|| now + Duration::from_secs(3600));
        elapsed(&mut timer).await;
    }
}
