//! Panics of background work.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

/// Runs a future, and returns the message of a panic in it as an error.
///
/// # Errors
/// If the future panics. It is dropped then, so that no caller sees state that it has left inconsistent inside it.
pub async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Poll::Ready(Err(text.unwrap_or("a panic without a message").to_owned()))
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_message_of_a_panic_is_returned() {
        assert_eq!(catch_panic(async { 1 }).await, Ok(1));
        let number = 2;
        let panicking = async {
            tokio::task::yield_now().await;
            panic!("number {number}");
        };
        assert_eq!(catch_panic::<()>(panicking).await, Err("number 2".to_owned()));
    }
}
