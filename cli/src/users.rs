//! User names, as far as /etc/passwd knows them. An image made from scratch has none.

use std::collections::HashMap;
use std::fs;

/// Names by user id.
#[derive(Debug)]
pub(crate) struct Users(HashMap<u32, String>);

impl Users {
    pub(crate) fn load() -> Self {
        Self::parse(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn parse(passwd: &str) -> Self {
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            Some((uid, name.to_owned()))
        };
        // Of several names for one id, the first counts, as everywhere.
        let mut names = HashMap::new();
        for (uid, name) in passwd.lines().filter_map(user) {
            names.entry(uid).or_insert(name);
        }
        Self(names)
    }

    /// The name, if it is known.
    pub(crate) fn name(&self, uid: u32) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }

    /// The name, or the number.
    pub(crate) fn show(&self, uid: u32) -> String {
        self.name(uid).map_or_else(|| uid.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn the_first_name_of_an_id_counts() {
        let users = Users::parse(
            "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\nann:x:1000:1000::/:/bin/sh\n",
        );
        assert_eq!(users.show(0), "root");
        assert_eq!(users.show(1000), "ann");
        assert_eq!(users.show(7), "7");
        assert_eq!(users.name(7), None);
    }
}
