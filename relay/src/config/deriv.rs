//! `[deriv]`: whose calls are answered in the Deriv dialect.

use super::given::{Given, Place};
use super::problem::Problems;
use super::section::Section;
use super::settings::SectionName;
use super::value::count;
use crate::wire::deriv::url::AppIds;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deriv {
    pub app_ids: AppIds,
}

pub(super) fn read(given: Vec<Given>, problems: &mut Problems) -> Deriv {
    let mut section = Section::new(SectionName::Deriv, Place::File, given, problems);
    let app_ids = section.list("app_ids", count(0..=u64::MAX)).filter(|app_ids| !app_ids.is_empty());
    Deriv { app_ids: app_ids.map_or(AppIds::Any, AppIds::Only) }
}
