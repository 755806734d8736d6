//! Another process in this one's place, without a connection refused: it is started with the listening
//! sockets, says that it is ready, and only then does this one stop accepting.
//!
//! Sockets travel as systemd's do (`LISTEN_FDS`, `LISTEN_FDNAMES`), so one reader serves both. One more is a
//! stream between the two processes: down goes a configuration that is in no file, back comes [`READY`].

use std::{ffi::OsString, io, path::PathBuf};

use net::Inherited;

/// How this program was started, and how the next one is.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable; looked at anew when it is started, so that it may have been replaced.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Why the process in our place did not come to be.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// There is a reason not to try.
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
    /// It has gone; it has said why.
    #[error("the new process ended before it was ready: {0}")]
    Ended(std::process::ExitStatus),
    /// It took too long and was ended.
    #[error("the new process was not ready after {} s", .0.as_secs())]
    Late(std::time::Duration),
    /// The system refuses sockets.
    #[error("cannot pass the listeners on: {0}")]
    System(#[from] io::Error),
}

/// What a process is given by the one that starts it.
#[derive(Debug, Default)]
pub struct Received {
    /// Listening sockets.
    pub sockets: Inherited,
    #[cfg(unix)]
    former: Option<std::os::unix::net::UnixStream>,
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

    use super::{HandoverError, Program, Received};
    use net::Role;

    /// What a process says to the one before it.
    const READY: &str = "READY=1";
    /// Name of the stream between the two.
    const STREAM: &str = "handover";
    /// The first descriptor passed on, by systemd's convention.
    const FIRST: i32 = 3;
    /// How long the new process may take to load and listen.
    const PATIENCE: Duration = Duration::from_secs(60);

    impl Received {
        /// What systemd, or the process that this one replaces, has passed on; `names` is `LISTEN_FDNAMES`.
        /// To be called before there are threads: it takes the variables out of the environment.
        pub fn take(names: Option<&str>) -> Self {
            let names: Vec<&str> = names.unwrap_or_default().split(':').collect();
            let mut received = Received::default();
            let mut given = ListenFd::from_env();
            for number in 0..given.len() {
                let name = names.get(number).copied().unwrap_or_default();
                if name == STREAM {
                    let (domain, kind) = (Domain::UNIX.into(), Type::STREAM.into());
                    received.former = given.take_custom(number, domain, kind, STREAM).ok().flatten();
                    continue;
                }
                let tcp = given.take_tcp_listener(number).ok().flatten().map(Socket::from);
                let socket = tcp.or_else(|| given.take_udp_socket(number).ok().flatten().map(Socket::from));
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

        /// The configuration that the former process serves, if it is in no file.
        ///
        /// # Errors
        /// When it cannot be read.
        pub fn configuration(&mut self) -> io::Result<Option<Vec<u8>>> {
            let Some(former) = &mut self.former else { return Ok(None) };
            let mut text = Vec::new();
            former.read_to_end(&mut text)?;
            Ok((!text.is_empty()).then_some(text))
        }

        /// Tells the former process to leave.
        pub fn ready(&mut self) {
            if let Some(mut former) = self.former.take() {
                // Gone already: nobody is left to be told.
                let _ = former.write_all(READY.as_bytes());
            }
        }
    }

    /// Starts the program with the sockets and waits until it is ready; returns its process id. Given up, it
    /// is ended. `configuration` is what it is to serve in place of its files.
    ///
    /// # Errors
    /// When it cannot be started, or is not ready in time.
    pub async fn hand_over(
        program: &Program,
        sockets: Vec<(Role, Socket)>,
        configuration: Option<&str>,
    ) -> Result<u32, HandoverError> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut ours = tokio::net::UnixStream::from_std(ours)?;
        let mut child = start(program, sockets, theirs)
            .map_err(|error| HandoverError::Start { path: program.path.clone(), error })?;
        let told = async {
            let mut answer = String::new();
            // A process that ends early does not read; its end is told below.
            let _ = ours.write_all(configuration.unwrap_or_default().as_bytes()).await;
            let _ = ours.shutdown().await;
            let _ = ours.read_to_string(&mut answer).await;
            if answer == READY { Ok(None) } else { child.ended().await.map(Some) }
        };
        match timeout(PATIENCE, told).await {
            Ok(Ok(None)) => Ok(child.release()),
            Ok(Ok(Some(status))) => Err(HandoverError::Ended(status)),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(HandoverError::Late(PATIENCE)),
        }
    }

    /// A process that is ended unless it is released.
    struct Held(Child);

    impl Held {
        /// Lets it run on; returns its id.
        fn release(self) -> u32 {
            ManuallyDrop::new(self).0.id()
        }

        /// Waits for its end. It is near, so looking now and then does, and no event loop has to listen for the ends
        /// of processes.
        async fn ended(&mut self) -> io::Result<ExitStatus> {
            loop {
                if let Some(status) = self.0.try_wait()? {
                    return Ok(status);
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            // If it has ended already, neither does anything.
            let _ = self.0.kill().and_then(|()| self.0.wait());
        }
    }

    fn start(program: &Program, sockets: Vec<(Role, Socket)>, stream: UnixStream) -> io::Result<Held> {
        let names = sockets.iter().map(|(role, _)| role.name()).chain([STREAM]);
        let names = names.collect::<Vec<_>>().join(":");
        let descriptors = sockets.into_iter().map(|(_, socket)| OwnedFd::from(socket)).chain([stream.into()]);
        let mappings: Vec<_> = (FIRST..)
            .zip(descriptors)
            .map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd })
            .collect();
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env("LISTEN_FDS", mappings.len().to_string())
            .env("LISTEN_FDNAMES", names)
            // Its own, which nobody knows before it runs; without the variable none is demanded.
            .env_remove("LISTEN_PID")
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        // The command goes at the end of this, and with it our copy of the child's end of the stream.
        Ok(Held(command.spawn()?))
    }
}

#[cfg(not(unix))]
impl Received {
    pub fn take(_: Option<&str>) -> Self {
        Received::default()
    }

    pub fn configuration(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub fn ready(&mut self) {}
}

#[cfg(not(unix))]
pub async fn hand_over(
    _: &Program,
    _: Vec<(net::Role, socket2::Socket)>,
    _: Option<&str>,
) -> Result<u32, HandoverError> {
    Err(HandoverError::Impossible("this system knows no hand-over"))
}
