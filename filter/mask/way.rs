//! Every way in which texts are masked, as one type: what walks documents is compiled for it once, and its code is what
//! the proxy compiles before the first request.
use super::kept::{Keeping, Kept};
use super::operators::prompt::{PromptMask, PromptText};
use super::operators::restore::{Restoring, RestoringText};
use super::recognised::{Collecting, Recognised, Spanned, Texts};
use super::text::{Masks, Sink, TextMask};

/// How the texts of a document are masked.
pub enum Way {
    /// An answer: by a plan, and names taken back.
    Answer(Restoring),
    /// A prompt: each text as a whole.
    Prompt(PromptMask),
    /// Not at all: a masked copy is kept.
    Keep(Keeping),
    /// Not at all: they are handed over.
    Collect(Texts),
    /// Where somebody else found something.
    Recognised(Recognised),
}

/// One text.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(
        clippy::large_enum_variant,
        reason = "nearly every text is an answer's, and is begun without a box"
    )
)]
pub enum WayText {
    /// Of an answer.
    Answer(RestoringText),
    /// Of a prompt.
    Prompt(Box<PromptText>),
    /// Of which a copy is kept.
    Keep(Kept),
    /// On its way to somebody else.
    Collect(Collecting),
    /// Whose values are known.
    Recognised(Spanned),
}

impl Masks for Way {
    type Text = WayText;

    fn begin(&self) -> WayText {
        match self {
            Self::Answer(masks) => WayText::Answer(masks.begin()),
            Self::Prompt(masks) => WayText::Prompt(Box::new(masks.begin())),
            Self::Keep(masks) => WayText::Keep(masks.begin()),
            Self::Collect(masks) => WayText::Collect(masks.begin()),
            Self::Recognised(masks) => WayText::Recognised(masks.begin()),
        }
    }

    fn finds_nothing(&self) -> bool {
        matches!(self, Self::Answer(masks) if masks.finds_nothing())
    }

    fn is_reusable(&self) -> bool {
        matches!(self, Self::Answer(masks) if masks.is_reusable())
    }

    fn masks_numbers(&self) -> bool {
        match self {
            Self::Answer(masks) => masks.masks_numbers(),
            Self::Keep(masks) => masks.masks_numbers(),
            Self::Prompt(_) | Self::Collect(_) | Self::Recognised(_) => true,
        }
    }

    fn begin_number(&self) -> WayText {
        match self {
            Self::Answer(masks) => WayText::Answer(masks.begin_number()),
            Self::Prompt(masks) => WayText::Prompt(Box::new(masks.begin_number())),
            Self::Keep(masks) => WayText::Keep(masks.begin_number()),
            Self::Collect(_) | Self::Recognised(_) => self.begin(),
        }
    }

    fn begin_label(&self) -> Option<WayText> {
        match self {
            Self::Answer(masks) => masks.begin_label().map(WayText::Answer),
            Self::Prompt(_) | Self::Keep(_) | Self::Collect(_) | Self::Recognised(_) => None,
        }
    }

    fn passes(&self, text: &[u8]) -> bool {
        matches!(self, Self::Answer(masks) if masks.passes(text))
    }

    fn passes_number(&self, number: &[u8]) -> bool {
        matches!(self, Self::Answer(masks) if masks.passes_number(number))
    }

    fn may_hold(&self, label: &[u8]) -> bool {
        matches!(self, Self::Answer(masks) if masks.may_hold(label))
    }
}

impl WayText {
    fn mask(&mut self) -> &mut dyn TextMask {
        match self {
            Self::Answer(text) => text,
            Self::Prompt(text) => &mut **text,
            Self::Keep(text) => text,
            Self::Collect(text) => text,
            Self::Recognised(text) => text,
        }
    }
}

impl TextMask for WayText {
    fn push(&mut self, text: &[u8], end: bool, sink: &mut dyn Sink) {
        self.mask().push(text, end, sink);
    }

    fn held(&self) -> usize {
        match self {
            Self::Answer(text) => text.held(),
            Self::Prompt(text) => text.held(),
            Self::Keep(text) => text.held(),
            Self::Collect(text) => text.held(),
            Self::Recognised(text) => text.held(),
        }
    }

    fn again(&self) -> Option<Self> {
        match self {
            Self::Answer(text) => text.again().map(Self::Answer),
            // What they read is written down elsewhere as well.
            Self::Prompt(_) | Self::Keep(_) | Self::Collect(_) | Self::Recognised(_) => None,
        }
    }
}
