"""A hundred labelled examples of each family, most with the same answer."""

from lowres_stilts.data.examples import Answer, ChoiceExample, Question, TaggedSentence, TextExample

TEXTS = [TextExample("a", "b", "1" if number < 60 else "0") for number in range(100)]
CHOICES = [ChoiceExample("a", ("b", "c"), int(number < 50)) for number in range(100)]
TAGGED = [TaggedSentence(("the", "cat"), ("DET", "NOUN" if number % 2 else "VERB")) for number in range(100)]
NAMES = [TaggedSentence(("Ann", "ran", "home"), ("B-PER", "O", "O")) for _ in range(100)]
ASKED = [Question(str(number), "who", "Ann ran", (Answer("Ann", 0),)) for number in range(100)]
