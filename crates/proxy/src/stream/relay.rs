//! Copies between client and upstream in both directions. Each direction is half-closed by itself; an error,
//! or no progress within the service's timeouts, ends both.

use std::{cell::Cell, io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    select,
    time::{Instant, sleep_until},
};

use super::open::Transferred;

/// Buffer of each direction.
const BUFFER_BYTES: usize = 16 * 1024;

/// Time of the last progress, and the number of writes in progress.
struct Activity {
    last_progress_at: Cell<Instant>,
    pending_writes: Cell<u8>,
}

/// Copies until both directions have ended. `replay` is sent to the upstream first; the timeouts are those of
/// reading and writing.
///
/// # Errors
/// If a connection fails or times out.
pub async fn relay<C, U>(
    client: C,
    upstream: U,
    replay: Vec<u8>,
    (read, write): (Duration, Duration),
    transferred: &Transferred,
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Activity { last_progress_at: Cell::new(Instant::now()), pending_writes: Cell::new(0) };
    let (from_client, to_client) = split(client);
    let (from_upstream, to_upstream) = split(upstream);
    let both = async {
        tokio::try_join!(
            copy_one_way(from_client, to_upstream, replay, &activity, &transferred.from_client),
            copy_one_way(from_upstream, to_client, Vec::new(), &activity, &transferred.from_upstream),
        )
    };
    let idle_timeout = async {
        loop {
            let limit = if activity.pending_writes.get() > 0 { write.min(read) } else { read };
            let end = activity.last_progress_at.get() + limit;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    };
    select! {
        copied = both => copied.map(|_| ()),
        () = idle_timeout => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn copy_one_way<R, W>(
    mut from: R,
    mut to: W,
    replay: Vec<u8>,
    activity: &Activity,
    copied: &Cell<u64>,
) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    if !replay.is_empty() {
        write_all_tracked(&mut to, &replay, activity).await?;
        copied.set(replay.len() as u64);
    }
    drop(replay);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(count) => count,
            // TLS closed without close_notify: common, and treated as the end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        activity.last_progress_at.set(Instant::now());
        if count == 0 {
            // Best effort: the peer may have closed already.
            let _ = to.shutdown().await;
            return Ok(());
        }
        write_all_tracked(&mut to, &buffer[..count], activity).await?;
        copied.set(copied.get() + count as u64);
    }
}

/// Writes all bytes and records the progress.
async fn write_all_tracked<W: AsyncWrite + Unpin>(
    to: &mut W,
    mut bytes: &[u8],
    activity: &Activity,
) -> io::Result<()> {
    activity.pending_writes.set(activity.pending_writes.get() + 1);
    while !bytes.is_empty() {
        match to.write(bytes).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
        activity.last_progress_at.set(Instant::now());
    }
    to.flush().await?;
    activity.pending_writes.set(activity.pending_writes.get() - 1);
    Ok(())
}
