//! What a command line or a `countersign://` link may ask for.
//!
//! INVARIANT: nothing that arrives here decides, changes or connects to anything. Other programs can start us with any
//! arguments, so a link is either exactly `countersign://proposal/<id>`, and opens that card, or it is nothing.

use countersign_domain::{id::ProposalId, link};

/// How the app was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Launch {
    /// The card to open.
    pub(crate) open: Option<ProposalId>,
    /// Set up on this computer without asking, where nothing was set up yet.
    pub(crate) on_this_computer: bool,
}

impl Launch {
    /// Reads the arguments behind the program's name. What is not understood is left alone.
    pub(crate) fn from_arguments(arguments: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut launch = Self::default();
        for argument in arguments {
            match argument.as_ref() {
                "--on-this-computer" => launch.on_this_computer = true,
                other => launch.open = launch.open.or_else(|| link::proposal(other)),
            }
        }
        launch
    }
}

#[cfg(test)]
mod tests {
    use countersign_domain::link::PREFIX;
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0192f3a4-0000-7000-8000-0123456789ab";

    #[test]
    fn a_link_opens_its_card() {
        let launch = Launch::from_arguments([format!("{PREFIX}{ID}")]);
        assert_eq!(launch.open, ID.parse().ok(), "the one form that is a link");
    }

    /// Arguments as an attacker would write them: near a link, near a flag, or noise.
    fn argument() -> impl Strategy<Value = String> {
        let near = prop_oneof![
            Just(format!("{PREFIX}{ID}")),
            Just(format!("{PREFIX}{ID}/approve")),
            Just(format!("{PREFIX}{ID}?verdict=approve")),
            Just(format!("{PREFIX}{ID}#decide")),
            Just(format!("{PREFIX}{}", ID.to_uppercase())),
            Just(format!("{PREFIX}{{{ID}}}")),
            Just(format!("{PREFIX}../../{ID}")),
            Just(format!("COUNTERSIGN://proposal/{ID}")),
            Just(format!("countersign:proposal/{ID}")),
            Just(format!("countersign://user@proposal/{ID}")),
            Just(format!(
                "countersign://connect?url=https://evil.example&token={ID}"
            )),
            Just(format!("--open={PREFIX}{ID}")),
            Just(format!("{PREFIX}{ID} --on-this-computer")),
            Just("--on-this-computer=1".to_owned()),
        ];
        prop_oneof![
            near.clone(),
            (near, any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, c)| {
                let mut chars: Vec<char> = text.chars().collect();
                let at = at.index(chars.len());
                chars[at] = c;
                chars.into_iter().collect()
            }),
            any::<String>(),
            "countersign://[ -~]{0,60}",
            "countersign://proposal/[0-9a-f-]{30,40}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

        #[test]
        fn whatever_the_arguments_are_nothing_but_one_card_can_come_of_them(
            arguments in prop::collection::vec(argument(), 0..6)
        ) {
            let launch = Launch::from_arguments(&arguments);
            // The launch has one field for a card and one for a flag, so there is no decision that it could carry.
            if let Some(id) = launch.open {
                let link = format!("{PREFIX}{id}");
                prop_assert!(arguments.contains(&link), "{id} was opened by no exact link");
                prop_assert_eq!(id.to_string().as_bytes()[14], b'7', "only our own ids are opened");
            }
            prop_assert_eq!(
                launch.on_this_computer,
                arguments.iter().any(|argument| argument == "--on-this-computer"),
                "a flag is a whole argument"
            );
        }
    }
}
