//! Weaviate's GraphQL documents: which queries they make, and where each of them is narrowed.
//!
//! Source: <https://docs.weaviate.io/weaviate/api/graphql>, and `adapters/handlers/graphql/local` of Weaviate. A document
//! is read whole, every operation of it, whichever is named to be run. What no table here knows is refused, and so is
//! what would hide from them: directives, mutations, fragments around classes, variables where something is judged.

use std::ops::Range;

use super::asks::Query;
use super::graph_table::{
    ADDITIONAL, AGGREGATE, Arg, Args, EXPLORE, EXPLORED, GET, HITS, More, OPEN, REFERRED, SUMS, TOLD, VALUES,
};
use super::graphql::{Fault, Source, Token, Tokens};

/// Deepest nesting that is read.
const DEPTH: usize = 64;
/// Most queries of a document, and most places where vectors are asked for.
const QUERIES: usize = 1024;
/// Most fragments, most places where they are used, and most classes that are referred to.
const FRAGMENTS: usize = 256;

/// Where arguments that a query lacks can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Here, among the bytes that came.
    pub at: usize,
    /// Whether there are brackets around.
    pub within: bool,
}

/// A query of a document. All places are among the bytes that came.
#[derive(Debug, Clone)]
pub struct Made {
    /// What it is.
    pub query: &'static Query,
    /// Its class; empty: of all.
    pub class: String,
    /// Its tenant.
    pub tenant: Option<(String, Range<usize>)>,
    /// Its bound.
    pub limit: Option<(u64, Range<usize>)>,
    /// Its filter, as it was written.
    pub filter: Option<(String, Range<usize>)>,
    /// Where more arguments go.
    pub room: Option<Room>,
}

impl Made {
    fn of(query: &'static Query, class: String) -> Self {
        Self { query, class, tenant: None, limit: None, filter: None, room: None }
    }
}

/// What a document asks.
#[derive(Debug, Default)]
pub struct Document {
    /// Its queries.
    pub made: Vec<Made>,
    /// Vectors that are asked for, with what stands in their place where they are not.
    pub cuts: Vec<(Range<usize>, &'static str)>,
}

/// Reads a document.
///
/// # Errors
/// Why it cannot be told what it asks.
pub fn read(source: &Source<'_>) -> Result<Document, Fault> {
    let tokens = Tokens::new(source.text())?;
    let mut reader = Reader {
        source,
        tokens,
        document: Document::default(),
        depth: 0,
        only: &[],
        fragments: Vec::new(),
        spreads: Vec::new(),
        referred: Vec::new(),
    };
    reader.document()?;
    reader.spreads()?;
    Ok(reader.document)
}

struct Reader<'s> {
    source: &'s Source<'s>,
    tokens: Tokens<'s>,
    document: Document,
    depth: usize,
    /// The only names that may stand here; none: any.
    only: &'static [&'static str],
    /// Fragments, each with its class.
    fragments: Vec<(&'s str, &'s str)>,
    /// Where they are used: the class there, and which one.
    spreads: Vec<(&'s str, &'s str)>,
    /// Classes of objects that are referred to.
    referred: Vec<String>,
}

impl<'s> Reader<'s> {
    fn document(&mut self) -> Result<(), Fault> {
        loop {
            match self.tokens.peek() {
                Token::End => return Ok(()),
                Token::Sign(b'{') => self.root()?,
                Token::Name("query") => {
                    self.tokens.take()?;
                    if matches!(self.tokens.peek(), Token::Name(_)) {
                        self.tokens.take()?;
                    }
                    if self.tokens.eat(b'(')? {
                        self.variables()?;
                    }
                    self.root()?;
                }
                Token::Name("fragment") => {
                    self.tokens.take()?;
                    let name = self.tokens.name()?;
                    if name == "on" || self.tokens.name()? != "on" {
                        return Err("a fragment that is none");
                    }
                    let class = self.tokens.name()?;
                    if self.fragments.len() >= FRAGMENTS
                        || self.fragments.iter().any(|(known, _)| *known == name)
                    {
                        return Err("a fragment that comes twice, or too many of them");
                    }
                    self.fragments.push((name, class));
                    self.hits(class)?;
                }
                _ => return Err("only queries are read"),
            }
        }
    }

    /// Objects that are read beside those that are asked for: of fragments those of another class than where they stand.
    fn spreads(&mut self) -> Result<(), Fault> {
        for (around, name) in std::mem::take(&mut self.spreads) {
            let known = self.fragments.iter().find(|(known, _)| *known == name);
            let class = known.map(|(_, class)| *class).ok_or("a fragment that is nowhere")?;
            if class != around {
                self.refer(class)?;
            }
        }
        for class in std::mem::take(&mut self.referred) {
            self.document.made.push(Made::of(&REFERRED, class));
        }
        Ok(())
    }

    fn variables(&mut self) -> Result<(), Fault> {
        while !self.tokens.eat(b')')? {
            self.tokens.expect(b'$', "expected a variable")?;
            self.tokens.name()?;
            self.tokens.expect(b':', "expected a colon")?;
            self.kind()?;
            if self.tokens.eat(b'=')? {
                self.value("")?;
            }
        }
        Ok(())
    }

    /// The type of a variable.
    fn kind(&mut self) -> Result<(), Fault> {
        if self.tokens.eat(b'[')? {
            self.enter()?;
            self.kind()?;
            self.leave();
            self.tokens.expect(b']', "expected a bracket")?;
        } else {
            self.tokens.name()?;
        }
        self.tokens.eat(b'!').map(|_| ())
    }

    fn root(&mut self) -> Result<(), Fault> {
        self.selection(|reader, name, _| match name {
            "Get" => reader.selection(|reader, class, _| reader.class(&HITS, GET, class)),
            "Aggregate" => reader.selection(|reader, class, _| reader.class(&SUMS, AGGREGATE, class)),
            "Explore" => reader.class(&EXPLORED, EXPLORE, ""),
            "__typename" => Ok(()),
            _ => Err("only Get, Aggregate and Explore are read"),
        })
    }

    /// What is asked of a class.
    fn class(&mut self, query: &'static Query, args: Args, class: &'s str) -> Result<(), Fault> {
        if class == "__typename" {
            return Ok(());
        }
        let behind = self.tokens.behind();
        let mut made = Made::of(query, class.to_owned());
        let within = *self.tokens.peek() == Token::Sign(b'(');
        if within {
            self.tokens.take()?;
            let at = self.spot(behind_of(&self.tokens)).start;
            made.room = Some(Room { at, within });
            self.args(args, &mut made)?;
        } else {
            made.room = Some(Room { at: self.spot(behind..behind).start, within });
        }
        if self.document.made.len() >= QUERIES {
            return Err("too many queries");
        }
        self.document.made.push(made);
        if std::ptr::eq(query, &HITS) { self.hits(class) } else { self.plain() }
    }

    /// Objects of a class beside those that are asked for.
    fn refer(&mut self, class: &str) -> Result<(), Fault> {
        if self.referred.iter().any(|known| known == class) {
            return Ok(());
        }
        if self.referred.len() >= FRAGMENTS {
            return Err("too many classes");
        }
        self.referred.push(class.to_owned());
        Ok(())
    }

    fn args(&mut self, args: Args, made: &mut Made) -> Result<(), Fault> {
        let mut seen: Vec<&str> = Vec::new();
        while seen.is_empty() || *self.tokens.peek() != Token::Sign(b')') {
            let name = self.key(&mut seen)?;
            let arg = args.iter().find(|(known, _)| *known == name).map(|(_, arg)| *arg);
            let from = self.tokens.start();
            match arg.ok_or("an argument that is not known of this API")? {
                Arg::Pass => self.value(name)?,
                Arg::Path => self.path()?,
                Arg::Where => {
                    let is_empty = self.filter()?;
                    let at = from..self.tokens.behind();
                    let text = if is_empty { "{}" } else { self.tokens.piece(&at) };
                    made.filter = Some((text.to_owned(), self.spot(at)));
                }
                Arg::Limit => {
                    let Token::Number(number) = self.tokens.take()? else { return Err(WRITTEN_OUT) };
                    let number = number.parse().map_err(|_| "a bound that is no whole number")?;
                    made.limit = Some((number, self.spot(from..self.tokens.behind())));
                }
                Arg::Tenant => {
                    let Token::Text(tenant) = self.tokens.take()? else { return Err(WRITTEN_OUT) };
                    made.tenant = Some((tenant.into_owned(), self.spot(from..self.tokens.behind())));
                }
            }
        }
        self.tokens.expect(b')', "expected a bracket")
    }

    /// A key with its colon, which has not come before.
    fn key(&mut self, seen: &mut Vec<&'s str>) -> Result<&'s str, Fault> {
        let name = self.tokens.name()?;
        if !self.only.is_empty() && !self.only.contains(&name) {
            return Err("a name that is not known of this API");
        }
        if seen.contains(&name) {
            return Err("a name that comes twice");
        }
        // No input of this API has as many.
        if seen.len() >= DEPTH {
            return Err("too many names");
        }
        seen.push(name);
        self.tokens.expect(b':', "expected a colon")?;
        Ok(name)
    }

    /// A filter: an object, written out but for what it compares with. True: it asks for nothing.
    fn filter(&mut self) -> Result<bool, Fault> {
        self.enter()?;
        self.tokens.expect(b'{', WRITTEN_OUT)?;
        let mut seen = Vec::new();
        while !self.tokens.eat(b'}')? {
            match self.key(&mut seen)? {
                "operator" => self.tokens.name().map(|_| ())?,
                "path" => self.path()?,
                "operands" if self.tokens.eat(b'[')? => {
                    while !self.tokens.eat(b']')? {
                        self.filter()?;
                    }
                }
                "operands" => self.filter().map(|_| ())?,
                name if VALUES.contains(&name) => self.value(name)?,
                _ => return Err("a filter with a key that is not known of this API"),
            }
        }
        self.leave();
        Ok(seen.is_empty())
    }

    /// Steps from property to class to property: every second one is a class whose objects are read.
    fn path(&mut self) -> Result<(), Fault> {
        if !self.tokens.eat(b'[')? {
            return match self.tokens.take()? {
                Token::Text(_) => Ok(()),
                _ => Err(WRITTEN_OUT),
            };
        }
        let mut is_class = false;
        while !self.tokens.eat(b']')? {
            let Token::Text(step) = self.tokens.take()? else { return Err(WRITTEN_OUT) };
            if is_class {
                self.refer(&step)?;
            }
            is_class = !is_class;
        }
        Ok(())
    }

    /// A value that is for the store alone, at this key.
    fn value(&mut self, name: &str) -> Result<(), Fault> {
        match self.tokens.take()? {
            Token::Name(_) | Token::Number(_) | Token::Text(_) => Ok(()),
            Token::Sign(b'$') => {
                self.tokens.name()?;
                if OPEN.contains(&name) { Ok(()) } else { Err(WRITTEN_OUT) }
            }
            Token::Sign(b'[') => {
                self.enter()?;
                while !self.tokens.eat(b']')? {
                    self.value(name)?;
                }
                self.leave();
                Ok(())
            }
            Token::Sign(b'{') => {
                self.enter()?;
                let mut seen = Vec::new();
                while !self.tokens.eat(b'}')? {
                    match self.key(&mut seen)? {
                        "path" => self.path()?,
                        // It names an object of any class.
                        "beacon" => return Err("an object that is named by more than its id"),
                        name => self.value(name)?,
                    }
                }
                self.leave();
                Ok(())
            }
            _ => Err("expected a value"),
        }
    }

    /// Fields in braces, each given by its name and where it begins; no fragments.
    fn selection(
        &mut self,
        mut field: impl FnMut(&mut Self, &'s str, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.enter()?;
        self.tokens.expect(b'{', "expected a brace")?;
        loop {
            let from = self.tokens.start();
            let name = self.field()?;
            field(self, name, from)?;
            if self.tokens.eat(b'}')? {
                break;
            }
        }
        self.leave();
        Ok(())
    }

    /// A field's name, behind its alias.
    fn field(&mut self) -> Result<&'s str, Fault> {
        let name = match self.tokens.take()? {
            Token::Name(name) => name,
            Token::Spread => return Err("a fragment here"),
            _ => return Err("expected a field"),
        };
        if self.tokens.eat(b':')? { self.tokens.name() } else { Ok(name) }
    }

    /// What is asked of each hit: properties, objects that they refer to, and `_additional`.
    fn hits(&mut self, class: &'s str) -> Result<(), Fault> {
        self.enter()?;
        self.tokens.expect(b'{', "expected what is asked of each object")?;
        loop {
            if *self.tokens.peek() == Token::Spread {
                self.tokens.take()?;
                self.fragment(class)?;
            } else {
                match self.field()? {
                    "_additional" => self.additional(class)?,
                    // Whatever they are of, what stands there in a fragment is of a class of its own.
                    _ if *self.tokens.peek() == Token::Sign(b'{') => self.hits("")?,
                    _ => {}
                }
            }
            if self.tokens.eat(b'}')? {
                break;
            }
        }
        self.leave();
        Ok(())
    }

    fn fragment(&mut self, around: &'s str) -> Result<(), Fault> {
        let name = self.tokens.name()?;
        if name == "on" {
            let class = self.tokens.name()?;
            if class != around {
                self.refer(class)?;
            }
            return self.hits(class);
        }
        if self.spreads.len() >= FRAGMENTS {
            return Err("too many fragments");
        }
        self.spreads.push((around, name));
        Ok(())
    }

    fn additional(&mut self, class: &'s str) -> Result<(), Fault> {
        let (mut vectors, mut others) = (Vec::new(), 0usize);
        self.selection(|reader, name, from| {
            let more = ADDITIONAL.iter().find(|(known, _)| *known == name).map(|(_, more)| *more);
            match more.ok_or("something of an object that is not known of this API")? {
                More::Group => reader.group(class)?,
                More::Generated => {
                    reader.only = TOLD;
                    let told = reader.told();
                    reader.only = &[];
                    told.and_then(|()| reader.below())?;
                }
                _ => reader.rest()?,
            }
            if more == Some(More::Vector) {
                let at = reader.spot(from..reader.tokens.behind());
                vectors.push(at);
            } else {
                others = others.saturating_add(1);
            }
            Ok(())
        })?;
        for (at, vector) in vectors.into_iter().enumerate() {
            // Something must stand between the braces.
            let instead = if at == 0 && others == 0 { "id" } else { "" };
            if self.document.cuts.len() >= QUERIES {
                return Err("too many vectors");
            }
            self.document.cuts.push((vector, instead));
        }
        Ok(())
    }

    fn group(&mut self, class: &'s str) -> Result<(), Fault> {
        self.selection(|reader, name, _| if name == "hits" { reader.hits(class) } else { reader.rest() })
    }

    /// Fields that read nothing but what is around them.
    fn plain(&mut self) -> Result<(), Fault> {
        self.selection(|reader, _, _| reader.rest())
    }

    /// What stands behind such a field's name.
    fn rest(&mut self) -> Result<(), Fault> {
        self.told()?;
        self.below()
    }

    /// Arguments of such a field, where it has some.
    fn told(&mut self) -> Result<(), Fault> {
        if self.tokens.eat(b'(')? {
            let mut seen = Vec::new();
            while seen.is_empty() || *self.tokens.peek() != Token::Sign(b')') {
                let name = self.key(&mut seen)?;
                self.value(name)?;
            }
            self.tokens.expect(b')', "expected a bracket")?;
        }
        Ok(())
    }

    /// Fields of such a field, where it has some.
    fn below(&mut self) -> Result<(), Fault> {
        if *self.tokens.peek() == Token::Sign(b'{') { self.plain() } else { Ok(()) }
    }

    fn spot(&self, at: Range<usize>) -> Range<usize> {
        self.source.spot(&at)
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH { Err("nested too deeply") } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}

/// Why a variable may not stand somewhere.
const WRITTEN_OUT: Fault = "what is judged must be written out, and no variable";

/// The place behind the last token that was taken.
fn behind_of(tokens: &Tokens<'_>) -> Range<usize> {
    tokens.behind()..tokens.behind()
}
