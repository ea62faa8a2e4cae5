//! What a call of an annotated function begins with: where it comes from, and with which arguments.

use crate::config::Current;
use crate::instance::Instance;
use crate::key::FullKey;
use crate::key::argument::Parts;
use crate::key::arguments::Arguments;
use crate::site::Site;

#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) runtime: Current,
    pub(crate) site: &'static Site,
    pub(crate) instance: &'static Instance,
    pub(crate) arguments: Arguments,
    /// Whether each argument could be written, and the instantiation can be told from others.
    usable: bool,
    /// Makes the key's text of the arguments.
    show: Show,
}

/// Adds the text of the arguments to a key, with something of the caller's before each.
type Show = fn(&Arguments, &mut FullKey, before: &mut dyn FnMut(&mut FullKey));

impl Origin {
    #[inline]
    pub(crate) fn new<P: Parts>(
        runtime: Current,
        site: &'static Site,
        instance: &'static Instance,
        arguments: Arguments,
        usable: bool,
    ) -> Self {
        Self {
            runtime,
            site,
            instance,
            arguments,
            usable,
            show: |arguments, key, before| P::show(&mut arguments.read(), key, before),
        }
    }

    /// Whether the call has a key.
    #[inline]
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    /// The full key as text.
    pub(crate) fn full_key(&self) -> FullKey {
        let mut key = FullKey::new(self.runtime.namespace());
        if !self.instance.is_named() {
            key.spoil();
        }
        if self.site.template().is_empty() {
            key.literal(self.instance.path());
            (self.show)(&self.arguments, &mut key, &mut FullKey::separator);
        } else {
            let mut texts = self.site.template().iter();
            (self.show)(&self.arguments, &mut key, &mut |key| {
                if let Some(text) = texts.next() {
                    key.literal(text);
                }
            });
            texts.for_each(|text| key.literal(text));
        }
        key
    }
}
