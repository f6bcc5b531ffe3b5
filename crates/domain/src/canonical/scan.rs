//! The one-pass scanner behind [`check`](super::check).

use core::{cmp::Ordering, ops::Range};

use super::{MAX_DEPTH, MAX_INTEGER, Problem, name_order};

/// Accepts one canonical document and nothing after it. The bytes have passed as UTF-8.
pub(super) fn document(bytes: &[u8]) -> Result<(), (usize, Problem)> {
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.document().map_err(|problem| (scanner.at, problem))
}

/// A position in the text. Every method leaves `at` on the byte that is at fault.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Problem> {
        self.value(0)?;
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(Problem::Trailing)
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Problem> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(Problem::Unexpected),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Problem> {
        self.open(depth)?;
        if self.take(b'}') {
            return Ok(());
        }
        let mut previous: Option<Range<usize>> = None;
        loop {
            let start = self.at;
            let name = self.string()?;
            if let Some(previous) = previous {
                let (before, this) = (&self.bytes[previous], &self.bytes[name.clone()]);
                let problem = match name_order(unescaped(before), unescaped(this)) {
                    Ordering::Less => None,
                    Ordering::Equal => Some(Problem::Duplicate),
                    Ordering::Greater => Some(Problem::Order),
                };
                if let Some(problem) = problem {
                    self.at = start;
                    return Err(problem);
                }
            }
            previous = Some(name);
            self.expect(b':')?;
            self.value(depth)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Problem> {
        self.open(depth)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Passes a string and gives the range between its quotes.
    fn string(&mut self) -> Result<Range<usize>, Problem> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(start..self.at - 1);
                }
                b'\\' => self.at += escape(&self.bytes[self.at..]).ok_or(Problem::Escape)?.1,
                0..0x20 => return Err(Problem::Escape),
                _ => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let negative = self.take(b'-');
        let digits = self.at;
        let mut magnitude = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            magnitude = magnitude
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let length = self.at - digits;
        let shortest = length == 1 || (length > 1 && self.bytes[digits] != b'0');
        let whole = !matches!(self.bytes.get(self.at), Some(b'.' | b'e' | b'E'));
        if shortest && whole && magnitude <= MAX_INTEGER.unsigned_abs() && !(negative && magnitude == 0) {
            return Ok(());
        }
        self.at = start;
        Err(Problem::Number)
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Problem> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Problem::Unexpected);
        }
        self.at += word.len();
        Ok(())
    }

    fn open(&mut self, depth: usize) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err(Problem::Depth);
        }
        self.at += 1;
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        if self.peek()? != byte {
            return Err(Problem::Unexpected);
        }
        self.at += 1;
        Ok(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Result<u8, Problem> {
        self.bytes.get(self.at).copied().ok_or(Problem::End)
    }
}

/// The character and the length of the canonical escape that `text` begins with.
///
/// Quote, backslash and the five controls with a short form have that form; the other controls are `\u00` and two
/// lower-case digits; nothing else is ever escaped.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    let short = match text.get(1)? {
        b'"' => b'"',
        b'\\' => b'\\',
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => 0x0C,
        b'r' => b'\r',
        b'u' => {
            let [
                b'0',
                b'0',
                high @ (b'0' | b'1'),
                low @ (b'0'..=b'9' | b'a'..=b'f'),
            ] = text.get(2..6)?
            else {
                return None;
            };
            let low = if low.is_ascii_digit() {
                low - b'0'
            } else {
                low - b'a' + 10
            };
            let control = (high - b'0') * 16 + low;
            return (!matches!(control, 0x08..=0x0A | 0x0C | 0x0D)).then_some((control, 6));
        }
        _ => return None,
    };
    Some((short, 2))
}

/// The bytes that a canonically escaped name stands for.
fn unescaped(mut text: &[u8]) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let &first = text.first()?;
        let (byte, length) = if first == b'\\' { escape(text)? } else { (first, 1) };
        text = &text[length..];
        Some(byte)
    })
}
