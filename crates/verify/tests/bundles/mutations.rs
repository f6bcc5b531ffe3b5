//! Whatever anybody but the log does to a bundle is found, and the first place that is not in order is named.

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_domain::{
    Digest,
    bundle::{Checker, Place, Profile},
    dsse::SigningKey,
};
use countersign_verify::Verdict;

use crate::{
    journals::{World, bundle, examine, export},
    seeded::{Seeded, cases, each, replay},
};

/// A bundle taken apart.
#[derive(Clone)]
struct Sheet {
    bytes: Vec<u8>,
    /// Each with its newline, and the place that it belongs to.
    lines: Vec<(Vec<u8>, Place)>,
    /// The same journal as somebody else would sign it.
    resigned: Vec<u8>,
}

/// How many of the bundles are small. The others have more than one segment.
const SMALL: usize = 24;

/// Honest bundles to spoil, of both profiles.
fn sheets() -> &'static [Sheet] {
    static SHEETS: OnceLock<Vec<Sheet>> = OnceLock::new();
    SHEETS.get_or_init(|| {
        (0..SMALL + 2)
            .map(|number: usize| {
                let lives = if number < SMALL { number / 4 } else { 60 };
                let world = World::grown(&mut Seeded::new(number as u64), lives);
                let profile = if number % 4 == 3 {
                    Profile::Redacted
                } else {
                    Profile::Full
                };
                let bytes = export(&world.journal, profile);
                assert_eq!(examine(&bytes).verdict, Verdict::Whole, "sheet {number}");
                let thief = SigningKey::from_seed(&[7; 32]);
                let resigned = bundle(world.journal.entries(), world.journal.tenant(), &thief, profile);
                let lines = taken_apart(&bytes);
                Sheet {
                    bytes,
                    lines,
                    resigned,
                }
            })
            .collect()
    })
}

fn taken_apart(bytes: &[u8]) -> Vec<(Vec<u8>, Place)> {
    let mut checker = Checker::default();
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            let place = checker.place();
            checker.line(&line[..line.len() - 1]).expect("an honest line");
            (line.to_vec(), place)
        })
        .collect()
}

impl Sheet {
    fn together(lines: &[(Vec<u8>, Place)]) -> Vec<u8> {
        lines.iter().flat_map(|(line, _)| line.iter().copied()).collect()
    }

    /// The lines of each entry: leaf, body, signature.
    fn entries(&self) -> Vec<core::ops::Range<usize>> {
        let mut entries: Vec<core::ops::Range<usize>> = Vec::new();
        for (at, (line, _)) in self.lines.iter().enumerate() {
            if line.starts_with(b"leaf ") {
                entries.push(at..at + 1);
            } else if (line.starts_with(b"body ") || line.starts_with(b"sig "))
                && let Some(last) = entries.last_mut()
            {
                last.end = at + 1;
            }
        }
        entries
    }

    /// The place of the first line that is not as it was.
    fn first_difference(&self, bytes: &[u8]) -> Place {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let differs = |(line, _): &&(Vec<u8>, Place)| lines.next() != Some(&line[..]);
        self.lines
            .iter()
            .find(differs)
            .map_or(Place::End, |(_, place)| *place)
    }
}

/// What is to come of a mutation.
#[derive(Debug)]
enum Expect {
    /// Tampered, at the first line that differs.
    Found,
    /// It breaks off, and what is there is in order.
    BreaksOff,
}

/// The kinds of mutations.
const KINDS: usize = 21;

/// Spoils the bundle in the way of this number; `None` where that changes nothing in it.
fn spoil(sheet: &Sheet, other: &Sheet, kind: usize, random: &mut Seeded) -> Option<(Vec<u8>, Expect)> {
    let mut bytes = sheet.bytes.clone();
    let mut lines = sheet.lines.clone();
    let (at, line) = (random.below(bytes.len()), random.below(lines.len()));
    let entries = sheet.entries();
    let entry = random.pick(&entries).clone();
    let mut expect = Expect::Found;
    let bytes = match kind {
        // Bytes.
        0 => {
            bytes[at] ^= 1 << random.below(8);
            bytes
        }
        1 => {
            bytes[at] = *random.pick(b"0123456789abcdef{}[]\",:= \n\r\t\0\xff");
            bytes
        }
        2 => {
            bytes.insert(at, *random.pick(b"0a{}\", \n\r\0"));
            bytes
        }
        3 => {
            bytes.remove(at);
            bytes
        }
        4 => {
            bytes.truncate(at);
            expect = Expect::BreaksOff;
            bytes
        }
        // Lines.
        5 => {
            lines.remove(line);
            Sheet::together(&lines)
        }
        6 => {
            lines.insert(line, lines[random.below(lines.len())].clone());
            Sheet::together(&lines)
        }
        7 => {
            lines.swap(line, random.below(sheet.lines.len()));
            Sheet::together(&lines)
        }
        8 => {
            lines[line] = random.pick(&other.lines).clone();
            Sheet::together(&lines)
        }
        // Entries.
        9 => {
            lines.drain(entry);
            Sheet::together(&lines)
        }
        10 => {
            let second = random.pick(&entries).clone();
            let (first, second) = if entry.start < second.start {
                (entry, second)
            } else {
                (second, entry)
            };
            let moved = lines[second.clone()].to_vec();
            let back = lines[first.clone()].to_vec();
            lines.splice(second, back);
            lines.splice(first, moved);
            Sheet::together(&lines)
        }
        11 => {
            let from = random.pick(&other.entries()).clone();
            lines.splice(entry.start..entry.start, other.lines[from].iter().cloned());
            Sheet::together(&lines)
        }
        // What stands for the whole.
        12 => {
            lines[0] = other.lines[0].clone();
            Sheet::together(&lines)
        }
        13 => sheet.resigned.clone(),
        14 => {
            // From here on another history, under this one's checkpoint.
            let start = entry.start;
            let rest = other.lines.get(start..)?;
            lines.truncate(start);
            lines.extend_from_slice(rest);
            with_end(lines)
        }
        15 => {
            // Another history under somebody else's seals.
            let stolen = taken_apart(&sheet.resigned);
            lines.truncate(1);
            lines.extend_from_slice(&stolen[1..]);
            with_end(lines)
        }
        16 => {
            bytes.extend_from_slice(random.pick(&other.lines).0.as_slice());
            bytes
        }
        // Spellings.
        17 => respell(&mut lines, line, random)?,
        // Whoever does it also sums it up again.
        18 => {
            lines.drain(entry);
            with_end(lines)
        }
        19 => {
            let body = lines[entry.clone()]
                .iter()
                .position(|(line, _)| line.starts_with(b"body "))?;
            let text = &mut lines[entry.start + body].0;
            let digit = text.iter().rposition(u8::is_ascii_digit)?;
            text[digit] = if text[digit] == b'7' { b'8' } else { b'7' };
            with_end(lines)
        }
        // A member more, which says that it is nothing.
        20 => {
            let body = lines[entry.clone()]
                .iter()
                .position(|(line, _)| line.starts_with(b"body {"))?;
            let text = &mut lines[entry.start + body].0;
            drop(text.splice(6..6, *b"\"a\":null,"));
            with_end(lines)
        }
        _ => unreachable!("there are {KINDS} kinds"),
    };
    if bytes == sheet.bytes {
        return None;
    }
    // Without its end, or in the middle of its last line, a bundle breaks off.
    if sheet.bytes.starts_with(&bytes) || lacks_only_its_last_newline(sheet, &bytes) {
        expect = Expect::BreaksOff;
    }
    Some((bytes, expect))
}

fn lacks_only_its_last_newline(sheet: &Sheet, bytes: &[u8]) -> bool {
    let last = sheet.bytes.len() - sheet.lines.last().expect("a last line").0.len();
    bytes.starts_with(&sheet.bytes[..last]) && !bytes[last..].contains(&b'\n')
}

/// The lines with an end that sums them up.
fn with_end(mut lines: Vec<(Vec<u8>, Place)>) -> Vec<u8> {
    let end = lines.pop().expect("a last line");
    let text = String::from_utf8(end.0).expect("text");
    let digest = Digest::of(&Sheet::together(&lines));
    let start = text.find("\"digest\":\"").map_or(0, |at| at + 10);
    let text = format!("{}{digest}{}", &text[..start], &text[start + 64..]);
    lines.push((text.into_bytes(), end.1));
    Sheet::together(&lines)
}

/// Other spellings of the same: readers elsewhere would take them.
fn respell(lines: &mut [(Vec<u8>, Place)], line: usize, random: &mut Seeded) -> Option<Vec<u8>> {
    let text = String::from_utf8(lines[line].0.clone()).expect("text");
    let text = match random.below(6) {
        0 => text.replacen(",\"", ", \"", 1),
        1 => text.replacen('\n', "\r\n", 1),
        2 => text.replacen(' ', "  ", 1),
        3 => {
            // Base64 whose last bits are not zero says the same to a lenient reader.
            let at = text.find("==\"")?;
            let last = text.as_bytes()[at - 1];
            let bits = STANDARD.decode(format!("{}A==", last as char)).ok();
            let other = if last == b'A' || last == b'Q' || bits.is_none() {
                last + 1
            } else {
                last ^ 1
            };
            let mut bytes = text.into_bytes();
            bytes[at - 1] = other;
            String::from_utf8(bytes).ok()?
        }
        4 => {
            let at = text.find(|c: char| c.is_ascii_lowercase() && c.is_ascii_hexdigit())?;
            let mut bytes = text.into_bytes();
            bytes[at].make_ascii_uppercase();
            String::from_utf8(bytes).ok()?
        }
        _ => text.replacen('a', "\\u0061", 1),
    };
    lines[line].0 = text.into_bytes();
    Some(Sheet::together(lines))
}

#[test]
fn every_mutation_of_a_bundle_is_found_and_its_first_place_is_named() {
    let sheets = sheets();
    let (first, count) = cases(16_000, 160_000);
    each(first, count, |seed| {
        let mut random = Seeded::new(seed);
        let (bytes, expect, sheet, kind) = loop {
            let few = if random.below(50) == 0 {
                sheets
            } else {
                &sheets[..SMALL]
            };
            let (sheet, other) = (random.pick(few), random.pick(few));
            let kind = random.below(KINDS);
            if let Some((bytes, expect)) = spoil(sheet, other, kind, &mut random) {
                break (bytes, expect, sheet, kind);
            }
        };
        let report = examine(&bytes);
        let as_expected = match (&report.verdict, expect) {
            (Verdict::Incomplete, Expect::BreaksOff) => true,
            (Verdict::Tampered { place, .. }, Expect::Found) => {
                let expected = sheet.first_difference(&bytes);
                // A first line that holds by itself is another bundle's for the first list of entries.
                *place == expected.to_string()
                    || (expected == Place::Opening && *place == Place::Entry(1).to_string())
            }
            _ => false,
        };
        if as_expected {
            return Ok(());
        }
        Err(format!(
            "a mutation of kind {kind} at {} came out as\n{report}\n{}",
            sheet.first_difference(&bytes),
            replay(
                seed,
                "every_mutation_of_a_bundle_is_found_and_its_first_place_is_named"
            )
        ))
    });
    println!("{count} mutations of bundles, all found, the first place named");
}
