//! What the service manager is told (`NOTIFY_SOCKET`, as systemd defines it). Nobody listens: nothing is said.

/// How the service fares.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// It serves, or serves again after a reload.
    Ready,
    /// It loads its configuration anew.
    Reloading,
    /// It comes to an end.
    Stopping,
    /// That process is the service from now on.
    HandedOver(u32),
}

#[cfg(unix)]
pub fn tell(state: State) {
    use sd_notify::NotifyState;
    let told = match state {
        State::Ready => sd_notify::notify(&[NotifyState::Ready]),
        // The time lets the manager tell this reload from the one before.
        State::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        State::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        State::HandedOver(to) => sd_notify::notify(&[NotifyState::MainPid(to)]),
    };
    if let Err(error) = told {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}

#[cfg(not(unix))]
pub fn tell(_: State) {}
