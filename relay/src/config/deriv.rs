//! `[deriv]`: whose calls are answered in the Deriv dialect.

use std::time::Duration;

use super::given::{Given, Place};
use super::problem::Problems;
use super::section::Section;
use super::settings::SectionName;
use super::value::{count, duration};
use crate::limits::DERIV_IDLE;
use crate::wire::deriv::url::AppIds;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deriv {
    pub app_ids: AppIds,
    /// A connection with no frame either way for so long is closed.
    pub idle: Duration,
}

const IDLE_MIN: Duration = Duration::from_secs(1);
const IDLE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(given: Vec<Given>, problems: &mut Problems) -> Deriv {
    let mut section = Section::new(SectionName::Deriv, Place::File, given, problems);
    let app_ids = section.list("app_ids", count(0..=u64::MAX)).filter(|app_ids| !app_ids.is_empty());
    let idle = section.value("idle", DERIV_IDLE, duration(IDLE_MIN..=IDLE_MAX));
    Deriv { app_ids: app_ids.map_or(AppIds::Any, AppIds::Only), idle }
}
