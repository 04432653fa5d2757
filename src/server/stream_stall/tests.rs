use tokio::time::sleep;

use super::*;
use crate::{
    domain::buffer_load::STALLED_ANSWER_BYTES,
    domain::fairness::{Resource, ResourceLimit},
    sync::{BufferBudget, client_limits::ClientRegistry},
};

const OFF: u32 = 0;

fn streams(bytes_per_second: u32, share: ResourceLimit, client: &Arc<ClientState>) -> StreamExecutor {
    let rate = MinRate { bytes_per_second, grace: Duration::from_mins(1) };
    let limits = WriteLimits::of(Duration::from_mins(1), rate, BufferBudget::new(share));
    StreamExecutor::new(limits, Arc::clone(client))
}

/// Sends one byte at a time, each after this delay.
struct SlowBody {
    delay: Duration,
    next: Option<Pin<Box<Sleep>>>,
}

impl Body for SlowBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let at = Instant::now() + self.delay;
        let next = self.next.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if next.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.next = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

/// Seconds until a stream ends whose portal and client take this long for each of ten one-byte frames.
async fn stream_lifetime(portal: u64, client: u64, rate: u32) -> u64 {
    let unlimited = ResourceLimit { client: usize::MAX, all: usize::MAX };
    lives_in(portal, client, streams(rate, unlimited, ClientRegistry::default().all())).await
}

async fn lives_in(portal: u64, client: u64, streams: StreamExecutor) -> u64 {
    let start = Instant::now();
    let stream = async move {
        let delay = Duration::from_secs(portal);
        let mut body = WatchedBody::new(SlowBody { delay, next: None }, None);
        for _ in 0..10 {
            sleep(Duration::from_secs(client)).await;
            poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        }
    };
    run_stream(stream, streams).await;
    start.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn attack_client_never_opens_its_window() {
    assert_eq!(stream_lifetime(0, 100_000, OFF).await, 60);
    assert_eq!(stream_lifetime(0, 100_000, 240).await, 60);
}

#[tokio::test(start_paused = true)]
async fn serves_slow_client_if_no_minimum_rate_is_set() {
    assert_eq!(stream_lifetime(0, 50, OFF).await, 500);
}

#[tokio::test(start_paused = true)]
async fn does_not_blame_client_for_slow_portal() {
    assert_eq!(stream_lifetime(100, 1, OFF).await, 1010);
    assert_eq!(stream_lifetime(100, 50, OFF).await, 1500);
    // one second of ten bytes, and a thousand seconds of the portal's
    assert_eq!(stream_lifetime(100, 1, 240).await, 1010);
}

#[tokio::test(start_paused = true)]
async fn attack_slow_read_of_a_stream() {
    assert_eq!(stream_lifetime(0, 50, 240).await, 60);
    assert_eq!(stream_lifetime(100, 50, 240).await, 160);
}

#[tokio::test(start_paused = true)]
async fn attack_one_client_holds_the_buffers_of_all() {
    const STALLED: usize = STALLED_ANSWER_BYTES;
    let clients = ClientRegistry::default();
    let [greedy, other] = [[192, 0, 2, 1], [198, 51, 100, 1]].map(|ip| clients.by_address(ip.into()));
    let share = ResourceLimit { client: 4 * STALLED, all: 8 * STALLED };
    for (held, seconds, others) in [(2, 60, 60), (4, 5, 60), (6, 0, 60), (7, 0, 5)] {
        let _held = greedy.reserve(Resource::BufferedBytes, held * STALLED);
        assert_eq!(lives_in(0, 100_000, streams(OFF, share, &greedy)).await, seconds, "{held}");
        assert_eq!(lives_in(0, 100_000, streams(OFF, share, &other)).await, others, "{held}");
    }
    assert_eq!(clients.all().held(Resource::BufferedBytes), 0);
}

#[tokio::test]
async fn splits_large_data_into_frames_without_loss() {
    use http_body_util::{BodyExt, Full};

    let sent: Bytes = (0..3 * FRAME_BYTES + 5).map(|n| n.to_le_bytes()[0]).collect();
    let mut body = WatchedBody::new(Full::new(sent.clone()), None);
    let (mut received, mut frames) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        received.extend_from_slice(&frame.unwrap().into_data().unwrap());
        frames += 1;
        let left = (sent.len() - received.len()) as u64;
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(left), left == 0));
    }
    assert_eq!((received, frames), (sent.to_vec(), 4));
}
