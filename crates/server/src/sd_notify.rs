//! Notifications to the service manager (`NOTIFY_SOCKET`, sd_notify(3)); none is sent if the variable is unset.

/// State of the service.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// It serves: after the start, and after each reload.
    Ready,
    /// It reloads its configuration.
    Reloading,
    /// It stops.
    Stopping,
    /// The process with this id is the main process from now on.
    HandedOver(u32),
}

#[cfg(unix)]
pub fn notify(state: State) {
    use sd_notify::NotifyState;
    let result = match state {
        State::Ready => sd_notify::notify(&[NotifyState::Ready]),
        // The timestamp distinguishes this reload from earlier ones.
        State::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        State::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        State::HandedOver(to) => sd_notify::notify(&[NotifyState::MainPid(to)]),
    };
    if let Err(error) = result {
        tracing::warn!("the service manager cannot be notified: {error}");
    }
}

#[cfg(not(unix))]
pub fn notify(_: State) {}
