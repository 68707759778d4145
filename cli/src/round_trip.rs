//! The pair of rings between `podring ping` and `podring pong`.

/// The ring from ping to pong.
pub(crate) fn there(name: &str) -> String {
    format!("{name}.ping")
}

/// The ring from pong to ping.
pub(crate) fn back(name: &str) -> String {
    format!("{name}.pong")
}
