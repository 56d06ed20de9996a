//! An account's own user data stream at a venue: a listen key is asked for and kept alive, the stream read and forwarded.
//!
//! The venue's listen key and token stay here: what tells of them is not forwarded, and neither is logged.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::Method;
use tokio_rustls::rustls::ClientConfig;

use super::sources::Sink;
use crate::access::key::Key;
use crate::config::{Url, UserStream};
use crate::limits::TOKEN_FILE_BYTES_MAX;
use crate::net::feed::request::request;
use crate::net::feed::single::{Brought, Single};
use crate::net::feed::{DialError, DropReason, Target};
use crate::venue::backoff::{Backoff, Shape};
use crate::wire::notice::StreamState;
use crate::wire::stream::user::{self, Message};

/// The document: keys live 60 minutes, extend them every 30.
const EXTEND_EVERY: Duration = Duration::from_secs(30 * 60);
/// After an extension that failed; the key lives on meanwhile.
const EXTEND_AGAIN: Duration = Duration::from_secs(60);

/// Where one account's stream is.
pub struct Venue {
    account: String,
    stream: Url,
    rest: Target,
    token_file: PathBuf,
    trust: Option<Arc<ClientConfig>>,
}

/// Why there is no stream now.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0:#}")]
    Token(anyhow::Error),
    #[error("no listen key: {0}")]
    Rest(DialError),
    #[error("no listen key: answered {0}")]
    Status(u16),
    #[error("no listen key in the answer")]
    NoKey,
    #[error("no connection: {0}")]
    Dial(DialError),
    #[error("connection lost: {0}")]
    Connection(String),
    #[error("the listen key ran out")]
    KeyExpired,
}

impl Venue {
    pub fn new(account: &str, stream: &UserStream, trust: Option<Arc<ClientConfig>>) -> Venue {
        Venue {
            account: account.to_owned(),
            stream: stream.url.clone(),
            rest: target(&stream.rest_url, stream.rest_url.path()),
            token_file: stream.token_file.clone(),
            trust,
        }
    }

    /// The key completes the path, or a query that ends in `=`.
    fn place(&self, key: &str) -> Target {
        let path = self.stream.path();
        let slash = if path.ends_with(['=', '/']) { "" } else { "/" };
        target(&self.stream, &format!("{path}{slash}{key}"))
    }

    async fn token(&self) -> Result<String, Lost> {
        let path = self.token_file.clone();
        // Files are not read on the thread that serves others.
        let read = tokio::task::spawn_blocking(move || token(&path)).await;
        read.unwrap_or_else(|error| Err(error.into())).map_err(Lost::Token)
    }

    async fn ask(&self, method: Method, token: &str) -> Result<(u16, bytes::Bytes), DialError> {
        let (status, body) = request(&method, &self.rest, self.trust.as_ref(), token).await?;
        Ok((status.as_u16(), body))
    }
}

fn target(url: &Url, path: &str) -> Target {
    Target::exact(url.tls(), url.host(), url.port(), path)
}

/// The token in a file, without the blanks around it. Never shown.
pub fn token(path: &Path) -> anyhow::Result<String> {
    let context = || format!("user_stream_token_file {}", path.display());
    let mut text = String::new();
    let file = File::open(path).with_context(context)?;
    file.take(TOKEN_FILE_BYTES_MAX + 1).read_to_string(&mut text).with_context(context)?;
    let token = text.trim();
    // What is wrong is told without the text.
    Key::parse(token).map_err(anyhow::Error::from).with_context(context)?;
    Ok(token.to_owned())
}

/// Holds the stream until the task is ended.
pub(super) async fn run(venue: Arc<Venue>, sink: Sink) {
    // The hasher's keys are the system's randomness: relays started together do not reconnect together.
    let seed = RandomState::new().build_hasher().finish();
    let mut backoff = Backoff::new(Shape::default(), seed);
    let mut is_told = false;
    let start = tokio::time::Instant::now();
    loop {
        let mut connected = false;
        let Err(lost) = hold(&venue, &sink, &mut connected).await;
        sink.count(|counters| counters.lost.one());
        if connected {
            backoff.healthy();
            is_told = false;
        }
        sink.set_condition(StreamState::Recovering);
        // An outage is one change of state; the counter has each attempt.
        if std::mem::replace(&mut is_told, true) {
            tracing::debug!(account = venue.account, %lost, "no user data stream yet");
        } else {
            tracing::warn!(account = venue.account, %lost, "user data stream lost, trying again");
        }
        let now_ms = start.elapsed().as_millis() as u64;
        tokio::time::sleep(Duration::from_millis(backoff.next_wait(now_ms))).await;
    }
}

/// One life of the stream, from a listen key to the end of the connection.
async fn hold(venue: &Venue, sink: &Sink, connected: &mut bool) -> Result<std::convert::Infallible, Lost> {
    let token = venue.token().await?;
    let (status, answer) = venue.ask(Method::POST, &token).await.map_err(Lost::Rest)?;
    if status != 200 {
        return Err(Lost::Status(status));
    }
    let key = user::listen_key(&answer).ok_or(Lost::NoKey)?;
    let single = Single::open(&venue.place(&key), venue.trust.as_ref()).await.map_err(Lost::Dial)?;
    *connected = true;
    sink.count(|counters| counters.connected.one());
    sink.set_condition(StreamState::Live);
    tracing::info!(account = venue.account, "user data stream connected");
    let mut has_expired = false;
    let reading = single.read(|brought| match brought {
        Brought::Text(text) => forward(sink, text, &mut has_expired),
        Brought::Dropped(reason) => {
            count_dropped(sink, reason);
            true
        }
    });
    tokio::select! {
        why = reading => {
            if has_expired { Err(Lost::KeyExpired) } else { Err(Lost::Connection(why)) }
        }
        lost = keep_alive(venue, &token) => Err(lost),
    }
}

/// False: the stream brings nothing more.
fn forward(sink: &Sink, text: &[u8], has_expired: &mut bool) -> bool {
    match user::read(text) {
        Message::Event => sink.publish(text),
        Message::KeyExpired => {
            *has_expired = true;
            return false;
        }
        Message::Shutdown => return false,
        Message::Other => sink.count(|counters| counters.unnamed.one()),
        Message::NotJson => sink.count(|counters| counters.not_json.one()),
    }
    true
}

fn count_dropped(sink: &Sink, reason: DropReason) {
    sink.count(|counters| match reason {
        DropReason::NotUtf8 => counters.not_utf8.one(),
        DropReason::NotJson => counters.not_json.one(),
        DropReason::TooBig => counters.too_big.one(),
        DropReason::Binary => counters.binary.one(),
        DropReason::UnknownTopic => counters.unknown.one(),
        DropReason::NoStreamName => counters.unnamed.one(),
        DropReason::Malformed => counters.malformed.one(),
    });
}

/// Extends the key as long as the venue has it.
async fn keep_alive(venue: &Venue, token: &str) -> Lost {
    let mut wait = EXTEND_EVERY;
    loop {
        tokio::time::sleep(wait).await;
        wait = match venue.ask(Method::PUT, token).await {
            Ok((200, _)) => EXTEND_EVERY,
            // The venue does not know the key any more.
            Ok((400, _)) => return Lost::KeyExpired,
            Ok((status, _)) => {
                tracing::warn!(account = venue.account, status, "the listen key is not extended, trying again");
                EXTEND_AGAIN
            }
            Err(error) => {
                tracing::warn!(account = venue.account, %error, "the listen key is not extended, trying again");
                EXTEND_AGAIN
            }
        };
    }
}
