//! Calls to the service: tokens, deadlines, retries and the correction of a wrong clock. What the answers are worth is
//! judged elsewhere.

mod patience;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postfach_domain::id::Party;
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

pub(crate) use self::patience::{Patience, TRANSFER_LIMIT};
use crate::channel::{channel, tls_failure};
use crate::environment::Environment;
use crate::error::Error;
use crate::service::Service;
use crate::state::Trust;
use crate::status::Failure;
use crate::token::TokenSource;

/// Largest answer that is read, in bytes: a segment and its frame.
pub(crate) const MAX_ANSWER: usize = 4 * 1024 * 1024 + 64 * 1024;
/// First pause between two tries.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How to reach the service.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Dial this instead of the card's URL; the certificate is checked for the origin all the same.
    pub url: Option<String>,
    /// How long to try before the server counts as away.
    pub timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { url: None, timeout: Duration::from_secs(10) }
    }
}

/// How long one try of a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Within the client's timeout.
    Normal,
    /// A segment on a slow line: longer, and with the patience of a transfer.
    Transfer,
}

/// A client of one service, with or without a caller. Cheap to clone; connects at the first call.
#[derive(Clone)]
pub struct Client {
    service: Arc<Service>,
    channel: Channel,
    environment: Environment,
    timeout: Duration,
    caller: Option<Arc<TokenSource>>,
    /// Server's clock minus ours in milliseconds, once the server said that ours is wrong.
    clock_offset: Arc<AtomicI64>,
    trust: Arc<Mutex<Trust>>,
}

impl Client {
    /// A client without a caller: enough for what anybody may ask. Does not dial yet. `trust` is what was stored by
    /// the runs before; its default at the first.
    pub fn new(
        service: Arc<Service>,
        environment: Environment,
        options: &ConnectOptions,
        trust: Trust,
    ) -> Result<Self, Error> {
        let channel = channel(&service, options.url.as_deref(), options.timeout)?;
        let (clock_offset, trust) = (Arc::new(AtomicI64::new(0)), Arc::new(Mutex::new(trust)));
        let timeout = options.timeout;
        Ok(Self { service, channel, environment, timeout, caller: None, clock_offset, trust })
    }

    /// What to store, also after an error: everything seen and verified so far.
    pub fn trust(&self) -> Trust {
        self.with_trust(|trust| trust.clone())
    }

    /// Reads or changes what is remembered.
    pub(crate) fn with_trust<T>(&self, f: impl FnOnce(&mut Trust) -> T) -> T {
        f(&mut self.trust.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same connection, calling as `party` with one of its active keys.
    #[must_use]
    pub fn calling_as(&self, party: Party, key: Arc<SecretKey>) -> Self {
        let caller = TokenSource::new(self.service.origin.clone(), party, key);
        Self { caller: Some(Arc::new(caller)), ..self.clone() }
    }

    /// The pinned service.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Time and randomness.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Now, by our clock or, once the server said that ours is wrong, by the server's.
    pub fn now(&self) -> Timestamp {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        Timestamp(self.environment.now().0.saturating_add_signed(offset))
    }

    /// By how many milliseconds the server's clock is ahead of ours, where that had to be corrected. To be told to
    /// the person: what was signed since then carries the server's time.
    pub fn clock_correction(&self) -> Option<i64> {
        Some(self.clock_offset.load(Ordering::Relaxed)).filter(|offset| *offset != 0)
    }

    /// Takes the server's clock for ours.
    fn correct_clock(&self, server_time: Timestamp) {
        let offset = server_time.as_i64().saturating_sub(self.environment.now().as_i64());
        self.clock_offset.store(offset, Ordering::Relaxed);
        if let Some(caller) = &self.caller {
            caller.forget();
        }
        tracing::warn!(offset_ms = offset, "the server's clock differs; signing again with its time");
    }

    /// One call, tried until it is answered or the time is up. Every call of this service may be sent twice: ids and
    /// acts are chosen by the caller.
    pub(crate) async fn call<Req, Res, Fut>(
        &self,
        pace: Pace,
        request: Req,
        send: impl Fn(Channel, Request<Req>) -> Fut,
    ) -> Result<Res, Error>
    where
        Req: Clone,
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        self.try_call(pace, || request.clone(), send).await.map_err(|failed| match failed {
            Failed::Status(failure) => failure.into_error(),
            Failed::Other(error) => error,
        })
    }

    /// A call whose message is signed with a time: where the server says that our clock is wrong, it is signed once
    /// more with the server's.
    pub(crate) async fn call_signed<Req, Res, Fut>(
        &self,
        sign: impl Fn(Timestamp) -> Req,
        send: impl Fn(Channel, Request<Req>) -> Fut,
    ) -> Result<Res, Error>
    where
        Req: Clone,
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        let request = sign(self.now());
        match self.try_call(Pace::Normal, || request.clone(), &send).await {
            Ok(answer) => Ok(answer),
            Err(Failed::Status(failure)) => match failure.server_time {
                // A server that is away may have a wrong clock itself.
                Some(time) if !failure.is_transient() => {
                    self.correct_clock(time);
                    self.call(Pace::Normal, sign(self.now()), send).await
                }
                _ => Err(failure.into_error()),
            },
            Err(Failed::Other(error)) => Err(error),
        }
    }

    async fn try_call<Req, Res, Fut>(
        &self,
        pace: Pace,
        request: impl Fn() -> Req,
        send: impl Fn(Channel, Request<Req>) -> Fut,
    ) -> Result<Res, Failed>
    where
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        let mut patience = match pace {
            Pace::Normal => Patience::of_call(self.timeout),
            Pace::Transfer => Patience::of_transfer(self.timeout),
        };
        let (mut pause, mut clock_corrected) = (FIRST_PAUSE, false);
        loop {
            let limit = patience.limit().max(FIRST_PAUSE);
            let mut attempt = Request::new(request());
            attempt.set_timeout(limit);
            self.authorise(&mut attempt).map_err(Failed::Other)?;
            let answering = send(self.channel.clone(), attempt);
            let status = match tokio::time::timeout(limit, answering).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            if let Some(detail) = tls_failure(&status) {
                return Err(Failed::Other(Error::NotTheService { detail }));
            }
            let failure = Failure::of(&status);
            if failure.is_unauthenticated()
                && !clock_corrected
                && let Some(time) = failure.server_time
            {
                clock_corrected = true;
                self.correct_clock(time);
                continue;
            }
            if !failure.is_transient() {
                return Err(Failed::Status(failure));
            }
            let wait = failure.retry_after().unwrap_or_else(|| self.jittered(pause));
            if !patience.holds(wait) {
                return Err(Failed::Status(failure));
            }
            tracing::debug!(code = ?status.code(), wait_ms = wait.as_millis(), "trying again");
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn authorise<T>(&self, request: &mut Request<T>) -> Result<(), Error> {
        let Some(caller) = &self.caller else { return Ok(()) };
        let text = zeroize::Zeroizing::new(format!("Bearer {}", caller.token(self.now()).as_str()));
        let mut value: MetadataValue<Ascii> =
            text.parse().map_err(|_| Error::bad_input("issuer", "not ASCII"))?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
        Ok(())
    }

    /// Between half and all of a pause, so that many clients do not come back at once.
    fn jittered(&self, pause: Duration) -> Duration {
        let [byte] = self.environment.random_bytes::<1>();
        pause / 2 + pause / 2 * u32::from(byte) / 255
    }

    /// The connection, for what is no gRPC.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The client's patience.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

enum Failed {
    Status(Failure),
    Other(Error),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("origin", &self.service.origin)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}
