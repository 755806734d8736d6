//! Streams: a session of its own type, rejected in `preread` and recorded in `stream_log`.

use std::sync::{Arc, LazyLock, Mutex};

use gatewayctl::{
    model::{Protocol, State},
    plugin::{
        ALL_PROTOCOLS, BuildContext, BuildError, HookFuture, Phases, Plugin, StreamCtx, StreamEnd,
        StreamRejection, native,
        testing::{PluginHarness, stream_session},
    },
    proxy::{Listener, Traffic},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use crate::rig::*;

/// Records the ends of streams; rejects all if it is closed.
struct Recorder {
    is_closed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RecorderConfig {
    closed: bool,
}

/// A stream that has ended, by whether it was rejected.
type Record = (Protocol, StreamEnd, u32);

static RECORDS: Mutex<Vec<Record>> = Mutex::new(Vec::new());
static RECORDED: LazyLock<Arc<Notify>> = LazyLock::new(Arc::default);

impl Plugin for Recorder {
    const NAME: &'static str = "recorder";
    const PRIORITY: i32 = 40;
    const PHASES: Phases<Self> = Phases {
        preread: Some(|plugin, ctx| HookFuture::boxed(plugin.preread(ctx))),
        stream_log: Some(Self::log),
        ..Phases::NONE
    };
    const PROTOCOLS: &'static [Protocol] = ALL_PROTOCOLS;
    const DEFAULT_PROTOCOLS: &'static [Protocol] = ALL_PROTOCOLS;
    type Config = RecorderConfig;

    fn build(config: RecorderConfig, _: &mut BuildContext<'_>) -> Result<Self, BuildError> {
        Ok(Recorder { is_closed: config.closed })
    }
}

impl Recorder {
    async fn preread(&self, ctx: StreamCtx<'_>) -> Result<(), StreamRejection> {
        *ctx.session.extension_mut::<u32>() = 7;
        tokio::task::yield_now().await;
        if self.is_closed { Err(StreamRejection("closed".to_owned())) } else { Ok(()) }
    }

    fn log(&self, ctx: StreamCtx<'_>) {
        let carried = *ctx.session.extension_mut::<u32>();
        let end = ctx.session.end.take().expect("the end of the stream");
        RECORDS.lock().expect("no panic while it is held").push((ctx.session.protocol, end, carried));
        RECORDED.notify_one();
    }
}

#[test]
fn the_harness_drives_a_stream() {
    let harness = |closed: bool| {
        PluginHarness::new::<Recorder>(json!({"closed": closed}), State::default())
            .expect("settings are valid")
    };
    let mut session = stream_session();
    harness(false).preread(&mut session).expect("the stream passes");
    assert!(harness(true).preread(&mut session).is_err());
}

#[tokio::test]
async fn a_stream_is_rejected_or_recorded() {
    let upstream = Upstream::script(|mut stream, _| async move {
        let mut heard = [0; 4];
        let _ = stream.read_exact(&mut heard).await;
        let _ = stream.write_all(b"bye").await;
        let _ = stream.shutdown().await;
    })
    .await;
    for closed in [false, true] {
        let text = format!(
            "_format_version: '3.0'\nservices:\n- name: s\n  url: tcp://{}\n  routes:\n  \
             - {{name: r, protocols: [tcp], destinations: [{{ip: 127.0.0.1}}]}}\n\
             plugins:\n- {{name: recorder, config: {{closed: {closed}}}}}\n",
            upstream.address
        );
        let listener = Listener { traffic: Traffic::Streams, ..plain() };
        let rig = Rig::of_plugins(&text, super::registry([native::<Recorder>()]), &[listener]);
        let answer = rig.send("ping").await;
        assert_eq!(answer, if closed { "" } else { "bye" });
        soon(RECORDED.notified()).await;
        let (protocol, end, carried) = RECORDS.lock().unwrap().pop().expect("a record");
        assert_eq!((protocol, carried), (Protocol::Tcp, 7));
        let bytes = (end.bytes_from_client, end.bytes_from_upstream);
        assert_eq!(bytes, if closed { (0, 0) } else { (4, 3) });
        assert_eq!(end.error.as_deref(), closed.then_some("closed"));
    }
}
