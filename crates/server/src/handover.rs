//! Handover to a new process without a refused connection: the new process is started with the listening sockets and
//! reports that it is ready; only then does this one stop accepting.
//!
//! Sockets are passed by systemd's protocol (`LISTEN_FDS`, `LISTEN_FDNAMES`), so that one parser handles both sources.
//! An additional descriptor is a Unix stream between the two processes: the parent sends a configuration that is in no
//! file, the child responds with `READY=1`.

use std::{ffi::OsString, io, path::PathBuf};

use net::Inherited;

/// Executable and arguments of the process that takes over.
#[derive(Clone, Debug)]
pub struct ExecSpec {
    /// The executable; resolved again at each start, so that it may have been replaced.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Error of a handover.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// A handover is not possible, for this reason.
    #[error("{0}")]
    Impossible(&'static str),
    /// The executable cannot be started.
    #[error("cannot start {}: {error}", path.display())]
    Start {
        /// The executable.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// The new process exited before it was ready; it has logged why.
    #[error("the new process ended before it was ready: {0}")]
    Ended(std::process::ExitStatus),
    /// The new process was not ready in time and was killed.
    #[error("the new process was not ready after {} s", .0.as_secs())]
    Late(std::time::Duration),
    /// The sockets cannot be passed.
    #[error("cannot pass the listeners on: {0}")]
    System(#[from] io::Error),
}

/// Sockets and state inherited from the parent process.
#[derive(Debug, Default)]
pub struct InheritedState {
    /// Listening sockets.
    pub sockets: Inherited,
    #[cfg(unix)]
    parent: Option<std::os::unix::net::UnixStream>,
}

#[cfg(unix)]
pub use unix::hand_over;

#[cfg(unix)]
mod unix {
    use std::{
        io::{self, Read as _, Write as _},
        mem::ManuallyDrop,
        os::{fd::OwnedFd, unix::net::UnixStream},
        process::{Child, Command, ExitStatus},
        time::Duration,
    };

    use command_fds::{CommandFdExt, FdMapping};
    use listenfd::ListenFd;
    use socket2::{Domain, Socket, Type};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{sleep, timeout},
    };

    use super::{ExecSpec, HandoverError, InheritedState};
    use net::Role;

    /// Message of a process to its parent once it accepts requests.
    const READY: &str = "READY=1";
    /// Name of the stream between parent and child, in `LISTEN_FDNAMES`.
    const STREAM_NAME: &str = "handover";
    /// The first descriptor passed on, by systemd's convention.
    const FIRST_FD: i32 = 3;
    /// Time limit of the new process to load its configuration and listen.
    const READY_TIMEOUT: Duration = Duration::from_secs(60);

    impl InheritedState {
        /// Claims the descriptors passed by systemd or by the parent process; `names` is `LISTEN_FDNAMES`.
        /// Must be called before threads are started, since it removes the variables from the environment.
        pub fn from_env(names: Option<&str>) -> Self {
            let names: Vec<&str> = names.unwrap_or_default().split(':').collect();
            let mut received = InheritedState::default();
            let mut listen_fds = ListenFd::from_env();
            for number in 0..listen_fds.len() {
                let name = names.get(number).copied().unwrap_or_default();
                if name == STREAM_NAME {
                    let (domain, kind) = (Domain::UNIX.into(), Type::STREAM.into());
                    received.parent =
                        listen_fds.take_custom(number, domain, kind, STREAM_NAME).ok().flatten();
                    continue;
                }
                let tcp = listen_fds.take_tcp_listener(number).ok().flatten().map(Socket::from);
                let socket =
                    tcp.or_else(|| listen_fds.take_udp_socket(number).ok().flatten().map(Socket::from));
                match socket {
                    Some(socket) => {
                        let role = Role::ALL.into_iter().find(|role| role.name() == name);
                        received.sockets.add(role, socket);
                    }
                    None => tracing::warn!("descriptor {number} ({name}) is no TCP or UDP socket"),
                }
            }
            received
        }

        /// Receives the configuration of the parent process, if that is in no file.
        ///
        /// # Errors
        /// When it cannot be read.
        pub fn configuration(&mut self) -> io::Result<Option<Vec<u8>>> {
            let Some(parent) = &mut self.parent else { return Ok(None) };
            let mut text = Vec::new();
            parent.read_to_end(&mut text)?;
            Ok((!text.is_empty()).then_some(text))
        }

        /// Reports to the parent process that this one accepts requests.
        pub fn ready(&mut self) {
            if let Some(mut parent) = self.parent.take() {
                // An error means that the parent has exited already.
                let _ = parent.write_all(READY.as_bytes());
            }
        }
    }

    /// Starts the program with the sockets and waits until it is ready; returns its process id. The process is killed if
    /// the future is dropped. `configuration` is sent to it, to be served in place of its files.
    ///
    /// # Errors
    /// When it cannot be started, or is not ready in time.
    pub async fn hand_over(
        program: &ExecSpec,
        sockets: Vec<(Role, Socket)>,
        configuration: Option<&str>,
    ) -> Result<u32, HandoverError> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut ours = tokio::net::UnixStream::from_std(ours)?;
        let mut child = start(program, sockets, theirs)
            .map_err(|error| HandoverError::Start { path: program.path.clone(), error })?;
        let outcome = async {
            let mut reply = String::new();
            // Write errors are ignored: a process that exits early does not read, and its exit is reported below.
            let _ = ours.write_all(configuration.unwrap_or_default().as_bytes()).await;
            let _ = ours.shutdown().await;
            let _ = ours.read_to_string(&mut reply).await;
            if reply == READY { Ok(None) } else { child.ended().await.map(Some) }
        };
        match timeout(READY_TIMEOUT, outcome).await {
            Ok(Ok(None)) => Ok(child.release()),
            Ok(Ok(Some(status))) => Err(HandoverError::Ended(status)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(HandoverError::Late(READY_TIMEOUT)),
        }
    }

    /// A child process that is killed on drop unless it is released.
    struct ChildGuard(Child);

    impl ChildGuard {
        /// Keeps the process running; returns its id.
        fn release(self) -> u32 {
            ManuallyDrop::new(self).0.id()
        }

        /// Waits for its exit. The stream was closed, so the exit is near: polling suffices, and no `SIGCHLD` handler is
        /// needed.
        async fn ended(&mut self) -> io::Result<ExitStatus> {
            loop {
                if let Some(status) = self.0.try_wait()? {
                    return Ok(status);
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    impl Drop for ChildGuard {
        fn drop(&mut self) {
            // Both calls fail if the process has exited already.
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }

    fn start(program: &ExecSpec, sockets: Vec<(Role, Socket)>, stream: UnixStream) -> io::Result<ChildGuard> {
        let names = sockets.iter().map(|(role, _)| role.name()).chain([STREAM_NAME]);
        let names = names.collect::<Vec<_>>().join(":");
        let descriptors = sockets.into_iter().map(|(_, socket)| OwnedFd::from(socket)).chain([stream.into()]);
        let mappings: Vec<_> = (FIRST_FD..)
            .zip(descriptors)
            .map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd })
            .collect();
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env("LISTEN_FDS", mappings.len().to_string())
            .env("LISTEN_FDNAMES", names)
            // `LISTEN_PID` would be the id of the child, unknown before the fork; it is not checked if absent.
            .env_remove("LISTEN_PID")
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        // Dropping the command closes the parent's copy of the child's end of the stream.
        Ok(ChildGuard(command.spawn()?))
    }
}

#[cfg(not(unix))]
impl InheritedState {
    pub fn from_env(_: Option<&str>) -> Self {
        InheritedState::default()
    }

    pub fn configuration(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub fn ready(&mut self) {}
}

#[cfg(not(unix))]
pub async fn hand_over(
    _: &ExecSpec,
    _: Vec<(net::Role, socket2::Socket)>,
    _: Option<&str>,
) -> Result<u32, HandoverError> {
    Err(HandoverError::Impossible("this system knows no hand-over"))
}
