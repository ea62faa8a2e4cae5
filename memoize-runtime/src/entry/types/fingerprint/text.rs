//! The text of a [`Shape`]: what is hashed, and what a log shows of a type.
//!
//! ```text
//! struct "User" {"id": u64, "name"|"nick": str, "tags": [str], "boss": option #0}
//! ```
//!
//! A part that is met again is its number, `#2`, counted in the order of the text; scalars have none. Equal elements in a row
//! of a tuple are counted, `(u8 * 32)`. Names are quoted, so that no name can look like anything else.
//!
//! The text is part of every fingerprint: to change how anything is written makes all stored entries a miss.

use std::fmt::{self, Display, Formatter, Write};

use super::shape::{Facts, Field, Id, Names, Node, Payload, Scalar, Shape, Unseen, Why};

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = Text {
            shape: self,
            numbers: vec![None; self.nodes.len()],
            next: 0,
            out: f,
        };
        text.node(Shape::ROOT)
    }
}

struct Text<'a, 'f> {
    shape: &'a Shape,
    /// The number of each node that was written already.
    numbers: Vec<Option<usize>>,
    next: usize,
    out: &'a mut Formatter<'f>,
}

impl Text<'_, '_> {
    fn node(&mut self, id: Id) -> fmt::Result {
        let node = self.shape.node(id);
        match node {
            Node::Nothing => return self.out.write_str("nothing"),
            Node::Scalar(scalar) => return self.out.write_str(scalar.name()),
            _ => {}
        }
        if let Some(number) = self.numbers[id] {
            return write!(self.out, "#{number}");
        }
        self.numbers[id] = Some(self.next);
        self.next += 1;
        match node {
            Node::Nothing | Node::Scalar(_) => Ok(()),
            Node::UnitStruct(name) => {
                self.out.write_str("unit ")?;
                self.quoted(name)
            }
            Node::Option(inner) => {
                self.out.write_str("option ")?;
                self.node(*inner)
            }
            Node::Newtype(name, inner) => {
                self.out.write_str("newtype ")?;
                self.quoted(name)?;
                self.out.write_char(' ')?;
                self.node(*inner)
            }
            Node::Seq { elements, .. } => self.runs('[', elements, ']'),
            Node::Map { key, value, .. } => {
                self.out.write_str("map {")?;
                self.node(*key)?;
                self.out.write_str(": ")?;
                self.node(*value)?;
                self.out.write_char('}')
            }
            Node::Tuple { name, elements } => {
                self.named("tuple", *name)?;
                self.runs('(', elements, ')')
            }
            Node::Struct {
                name,
                fields,
                by_order,
            } => {
                self.named(if *by_order { "struct" } else { "keyed struct" }, *name)?;
                self.fields(fields)
            }
            Node::Enum {
                name,
                variants,
                by_number,
            } => {
                self.named(if *by_number { "enum" } else { "keyed enum" }, Some(*name))?;
                self.list('{', variants, '}', |text, variant| {
                    text.names(&variant.names)?;
                    match variant.payload {
                        Payload::Unit => Ok(()),
                        Payload::Refused => text.out.write_str(" refused"),
                        Payload::Newtype(id) => {
                            text.out.write_str(": newtype ")?;
                            text.node(id)
                        }
                        Payload::Tuple(id) | Payload::Struct(id) => {
                            text.out.write_str(": ")?;
                            text.node(id)
                        }
                    }
                })
            }
            Node::Unseen(Unseen { why, facts }) => self.unseen(*why, facts),
        }
    }

    fn fields(&mut self, fields: &[Field]) -> fmt::Result {
        self.list('{', fields, '}', |text, field| {
            text.names(&field.names)?;
            text.out.write_str(": ")?;
            text.node(field.node)
        })
    }

    fn runs(&mut self, open: char, elements: &[Id], close: char) -> fmt::Result {
        let runs: Vec<&[Id]> = elements.chunk_by(|one, next| one == next).collect();
        self.list(open, &runs, close, |text, run| {
            text.node(run[0])?;
            match run.len() {
                1 => Ok(()),
                len => write!(text.out, " * {len}"),
            }
        })
    }

    fn list<T>(
        &mut self,
        open: char,
        items: &[T],
        close: char,
        mut write: impl FnMut(&mut Self, &T) -> fmt::Result,
    ) -> fmt::Result {
        self.out.write_char(open)?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.write_str(", ")?;
            }
            write(self, item)?;
        }
        self.out.write_char(close)
    }

    fn named(&mut self, kind: &str, name: Option<&str>) -> fmt::Result {
        self.out.write_str(kind)?;
        self.out.write_char(' ')?;
        if let Some(name) = name {
            self.quoted(name)?;
            self.out.write_char(' ')?;
        }
        Ok(())
    }

    fn names(&mut self, names: &Names) -> fmt::Result {
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                self.out.write_char('|')?;
            }
            self.quoted(name)?;
        }
        Ok(())
    }

    fn unseen(&mut self, why: Why, facts: &Facts) -> fmt::Result {
        write!(self.out, "{} ", why.name())?;
        self.quoted(facts.name)?;
        write!(self.out, " {}/{}", facts.size, facts.align)
    }

    /// Not as `Debug` does it, whose escapes change with Unicode.
    fn quoted(&mut self, text: &str) -> fmt::Result {
        self.out.write_char('"')?;
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                self.out.write_char('\\')?;
            }
            self.out.write_char(character)?;
        }
        self.out.write_char('"')
    }
}

impl Scalar {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::I128 => "i128",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::U128 => "u128",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::Str => "str",
            Self::Bytes => "bytes",
        }
    }
}

impl Why {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Buffered => "buffered",
            Self::Identifier => "identifier",
            Self::Ignored => "ignored",
            Self::Unreached => "unreached",
            Self::Untried => "untried",
            Self::Panicked => "panicked",
            Self::Beyond => "beyond",
            Self::Large => "large",
            Self::Wide => "wide",
        }
    }
}
