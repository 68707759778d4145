//! One look at many rings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use podring::Error;
use podring::inspect::{self, Report};

use crate::output::Failure;
use crate::places::Place;

/// Which ring: where it is, and its name.
pub(crate) type Key = (PathBuf, String);

/// What was seen of a ring, and when.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) at: Instant,
    pub(crate) report: Report,
}

/// The rings to watch.
#[derive(Debug)]
pub(crate) struct Watched {
    places: Vec<Place>,
    /// Empty: every ring there is.
    names: Vec<String>,
}

impl Watched {
    pub(crate) fn new(places: Vec<Place>, names: &[String]) -> Self {
        let bare = |name: &String| name.strip_prefix('/').unwrap_or(name).to_owned();
        Self { places, names: names.iter().map(bare).collect() }
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn has_many_places(&self) -> bool {
        self.places.len() > 1
    }

    /// Every watched ring that is there and can be read, in order.
    pub(crate) fn look(&self) -> Result<BTreeMap<Key, Look>, Failure> {
        let mut looks = BTreeMap::new();
        for place in &self.places {
            let reports = if self.names.is_empty() { list(place) } else { self.named(&place.dir) }?;
            for report in reports {
                let key = (place.dir.clone(), report.name.clone());
                looks.insert(key, Look { at: Instant::now(), report });
            }
        }
        Ok(looks)
    }

    /// Fails unless every ring asked for is there.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        for name in &self.names {
            let mut missing = None;
            for place in &self.places {
                match inspect::report(&place.dir, name) {
                    Ok(_) => {
                        missing = None;
                        break;
                    }
                    // The first place is the one that the user is most likely to have meant.
                    Err(error) => missing = missing.or(Some(error)),
                }
            }
            if let Some(error) = missing {
                return Err(Failure::of_onlooker(error));
            }
        }
        Ok(())
    }

    /// Those asked for, as far as they are there: one may go and come again while it is watched.
    fn named(&self, dir: &Path) -> Result<Vec<Report>, Failure> {
        let mut reports = Vec::new();
        for name in &self.names {
            match inspect::report(dir, name) {
                Ok(report) => reports.push(report),
                Err(error @ Error::NameInvalid { .. }) => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(reports)
    }
}

fn list(place: &Place) -> Result<Vec<Report>, Failure> {
    match inspect::list(&place.dir) {
        Ok(listings) => Ok(listings.into_iter().filter_map(|listing| listing.report).collect()),
        Err(_) if place.found => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
