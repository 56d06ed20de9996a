use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;
use super::{ingest::Ingest, shared::Shared};
use crate::fanout::topics::Demand;
pub fn start(_shared: Arc<Shared>, _at: usize, _ingest: Ingest, _demand: UnboundedReceiver<Demand>) {}
