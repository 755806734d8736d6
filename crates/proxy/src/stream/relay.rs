//! Copying both ways. Each way ends by itself, so that one end may have finished while the other still talks;
//! a failure, or silence for longer than the service allows, ends both.

use std::{cell::Cell, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    select,
    time::{Instant, sleep_until},
};

/// Bytes held for each way.
const BUFFER: usize = 16 * 1024;

/// When something moved last, and whether somebody is waiting to write.
struct Activity {
    last: Cell<Instant>,
    writing: Cell<u8>,
}

/// Copies until both ends have finished. `first` goes to the upstream before all else; limits are those of
/// silence and of a write that does not get on.
///
/// # Errors
/// When a connection fails or times out.
pub async fn relay<C, U>(
    client: C,
    upstream: U,
    first: Vec<u8>,
    (read, write): (Duration, Duration),
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity { last: Cell::new(Instant::now()), writing: Cell::new(0) };
    let (from_client, to_client) = split(client);
    let (from_upstream, to_upstream) = split(upstream);
    let both = async {
        tokio::try_join!(
            one_way(from_client, to_upstream, first, &activity),
            one_way(from_upstream, to_client, Vec::new(), &activity),
        )
    };
    let silence = async {
        loop {
            let limit = if activity.writing.get() > 0 { write.min(read) } else { read };
            let end = activity.last.get() + limit;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    };
    select! {
        ended = both => ended.map(|_| ()),
        () = silence => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn one_way<R, W>(mut from: R, mut to: W, first: Vec<u8>, activity: &Activity) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    if !first.is_empty() {
        pass(&mut to, &first, activity).await?;
    }
    drop(first);
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(count) => count,
            // An end of TLS without its goodbye: common, and as much of an end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        activity.last.set(Instant::now());
        if count == 0 {
            // Whoever has gone already need not be told.
            let _ = to.shutdown().await;
            return Ok(());
        }
        pass(&mut to, &buffer[..count], activity).await?;
    }
}

/// Writes all, noting each step.
async fn pass<W: AsyncWrite + Unpin>(to: &mut W, mut bytes: &[u8], activity: &Activity) -> io::Result<()> {
    activity.writing.set(activity.writing.get() + 1);
    while !bytes.is_empty() {
        match to.write(bytes).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
        activity.last.set(Instant::now());
    }
    to.flush().await?;
    activity.writing.set(activity.writing.get() - 1);
    Ok(())
}
