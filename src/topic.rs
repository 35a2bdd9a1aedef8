//! IPTC Media Topics, top level.

/// `(code, name)` of the 17 top-level topics.
pub const TOP_LEVEL: [(&str, &str); 17] = [
    ("medtop:01000000", "arts, culture, entertainment and media"),
    ("medtop:02000000", "crime, law and justice"),
    ("medtop:03000000", "disaster, accident and emergency incident"),
    ("medtop:04000000", "economy, business and finance"),
    ("medtop:05000000", "education"),
    ("medtop:06000000", "environment"),
    ("medtop:07000000", "health"),
    ("medtop:08000000", "human interest"),
    ("medtop:09000000", "labour"),
    ("medtop:10000000", "lifestyle and leisure"),
    ("medtop:11000000", "politics and government"),
    ("medtop:12000000", "religion"),
    ("medtop:13000000", "science and technology"),
    ("medtop:14000000", "society"),
    ("medtop:15000000", "sport"),
    ("medtop:16000000", "conflict, war and peace"),
    ("medtop:17000000", "weather"),
];

/// The `medtop:` code of a top-level topic given by code or English name, any case.
pub fn parse(label: &str) -> Option<&'static str> {
    let label = label.trim();
    TOP_LEVEL
        .iter()
        .find(|(code, name)| code.eq_ignore_ascii_case(label) || name.eq_ignore_ascii_case(label))
        .map(|(code, _)| *code)
}

/// The English name of a top-level topic's code.
pub fn name(code: &str) -> Option<&'static str> {
    TOP_LEVEL.iter().find(|(c, _)| *c == code).map(|(_, name)| *name)
}
