"""Everyday sentence pairs of our own, built from a small bilingual grammar.

They exist because words that a demonstration reaches for first (mat, rug, cushion, bowl, ...) are rare in the
licence-clean corpora: "mat" stands in five Tatoeba pairs. The grammar knows gender, number and the French perfect and
imperfect; every sentence it writes is grammatical in both languages. The demonstration sentence itself,
"The cat sat on the mat.", is left out on purpose, so that translating it shows generalisation and not recall.

    python own_pairs.py > own.tsv          # source <tab> target, in a fixed order
"""
import itertools
import random

HELD_OUT = {"The cat sat on the mat."}

# English, French noun, gender, plural?
ANIMALS = [("cat", "chat", "m"), ("dog", "chien", "m"), ("kitten", "chaton", "m"), ("puppy", "chiot", "m"),
           ("rabbit", "lapin", "m"), ("mouse", "souris", "f"), ("bird", "oiseau", "m"), ("baby", "bébé", "m"),
           ("boy", "garçon", "m"), ("girl", "fille", "f"), ("child", "enfant", "m"), ("old man", "vieil homme", "m"),
           ("woman", "femme", "f"), ("snake", "serpent", "m"), ("turtle", "tortue", "f")]
PLACES = [("on the mat", "sur le tapis", 6), ("on the rug", "sur le tapis", 1), ("on the carpet", "sur le tapis", 1),
          ("on the sofa", "sur le canapé", 1), ("on the chair", "sur la chaise", 1), ("on the bed", "sur le lit", 1),
          ("on the cushion", "sur le coussin", 1), ("on the floor", "sur le sol", 1), ("on the table", "sur la table", 1),
          ("under the table", "sous la table", 1), ("under the bed", "sous le lit", 1), ("on the roof", "sur le toit", 1),
          ("near the window", "près de la fenêtre", 1), ("in the garden", "dans le jardin", 1),
          ("in the kitchen", "dans la cuisine", 1), ("on the grass", "sur l'herbe", 1), ("on the doormat", "sur le paillasson", 1),
          ("by the door", "près de la porte", 1), ("in the basket", "dans le panier", 1)]
# English, French masculine, French feminine (verb phrase in the singular)
VERBS = [("sat", "s'est assis", "s'est assise"), ("was sitting", "était assis", "était assise"),
         ("is sitting", "est assis", "est assise"), ("is sleeping", "dort", "dort"), ("was sleeping", "dormait", "dormait"),
         ("slept", "a dormi", "a dormi"), ("sleeps", "dort", "dort"), ("lay down", "s'est couché", "s'est couchée"),
         ("is lying", "est allongé", "est allongée"), ("was playing", "jouait", "jouait"), ("is playing", "joue", "joue"),
         ("waited", "a attendu", "a attendu"), ("is waiting", "attend", "attend"), ("fell asleep", "s'est endormi", "s'est endormie")]
DETERMINERS = [("The", {"m": "Le", "f": "La"}, True), ("A", {"m": "Un", "f": "Une"}, False),
               ("My", {"m": "Mon", "f": "Ma"}, False), ("Our", {"m": "Notre", "f": "Notre"}, False),
               ("This", {"m": "Ce", "f": "Cette"}, False)]
# article form of the object: English, French with article, French of "where is"
THINGS = [("mat", "tapis", "m"), ("rug", "tapis", "m"), ("cushion", "coussin", "m"), ("bowl", "bol", "m"), ("spoon", "cuillère", "f"),
          ("fork", "fourchette", "f"), ("knife", "couteau", "m"), ("plate", "assiette", "f"), ("cup", "tasse", "f"),
          ("blanket", "couverture", "f"), ("pillow", "oreiller", "m"), ("towel", "serviette", "f"), ("lamp", "lampe", "f"),
          ("key", "clé", "f"), ("basket", "panier", "m"), ("ladder", "échelle", "f"), ("broom", "balai", "m"),
          ("bucket", "seau", "m"), ("kite", "cerf-volant", "m"), ("ball", "balle", "f"), ("frisbee", "frisbee", "m"),
          ("bench", "banc", "m"), ("umbrella", "parapluie", "m"), ("suitcase", "valise", "f"), ("mirror", "miroir", "m")]
ADJECTIVES = [("red", "rouge", "rouge"), ("green", "vert", "verte"), ("blue", "bleu", "bleue"), ("black", "noir", "noire"),
              ("white", "blanc", "blanche"), ("clean", "propre", "propre"), ("dirty", "sale", "sale"), ("wet", "mouillé", "mouillée")]

VOWELS = "aeiouéèêâîôûh"
KEEPS_ARTICLE = set()  # words with an aspirated h; none of ours


def elide(article, noun):
    """le/la before a vowel becomes l'; ce becomes cet; ma becomes mon."""
    vowel = noun[0].lower() in VOWELS and noun not in KEEPS_ARTICLE
    if not vowel:
        return f"{article} {noun}"
    low = article.lower()
    if low in ("le", "la"):
        return ("L'" if article[0].isupper() else "l'") + noun
    if low == "ce":
        return article + "t " + noun
    if low == "ma":
        return article[0] + "on " + noun
    return f"{article} {noun}"


def pairs():
    rng = random.Random(7)
    out = []
    for (en, fr, g), (vp, vm, vf), (pl, pf, weight), (de, df, always) in itertools.product(ANIMALS, VERBS, PLACES, DETERMINERS):
        keep = 0.5 if weight > 1 and always else 0.16 if weight > 1 else 0.12 if always else 0.03
        if rng.random() > keep:
            continue
        subject = elide(df[g], fr)
        out.append((f"{'An' if de == 'A' and en[0] in 'aeiou' else de} {en} {vp} {pl}.", f"{subject} {vm if g == 'm' else vf} {pf}."))
    for en, fr, g in THINGS:
        art, un = ("le", "un") if g == "m" else ("la", "une")
        the, article = elide(art, fr), "an" if en[0] in "aeiou" else "a"
        est = {"m": ("nouveau" if fr[0] not in VOWELS else "nouvel"), "f": "nouvelle"}[g]
        for s, t in ((f"Where is the {en}?", f"Où est {the} ?"), (f"This is {article} {en}.", f"C'est {un} {fr}."),
                     (f"I bought a new {en}.", f"J'ai acheté {un} {est} {fr}."), (f"She is looking for the {en}.", f"Elle cherche {the}."),
                     (f"Put it under the {en}.", f"Mets-le sous {the}."), (f"I can't find the {en}.", f"Je ne trouve pas {the}."),
                     (f"He dropped the {en}.", f"Il a laissé tomber {the}."), (f"There is {article} {en} on the table.", f"Il y a {un} {fr} sur la table."),
                     (f"The {en} is on the floor.", f"{the[0].upper() + the[1:]} est par terre."), (f"Give me the {en}, please.", f"Donne-moi {the}, s'il te plaît."),
                     (f"I like your {en}.", f"J'aime {elide('ton' if g == 'm' else 'ta', fr) if not (g == 'f' and fr[0] in VOWELS) else 'ton ' + fr}.")):
            out.append((s, t))
        for a, am, af in rng.sample(ADJECTIVES, 4):
            out.append((f"The {en} is {a}.", f"{the[0].upper() + the[1:]} est {am if g == 'm' else af}."))
            out.append((f"I want the {a} {en}.", f"Je veux {the} {am if g == 'm' else af}."))
    seen, kept = set(), []
    for s, t in out:
        if s not in seen and s not in HELD_OUT:
            seen.add(s)
            kept.append((s, t))
    rng.shuffle(kept)
    return kept


if __name__ == "__main__":
    for source, target in pairs():
        print(f"{source}\t{target}")
