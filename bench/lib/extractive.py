"""The methods that a summary of sentences has to beat. Each gives every sentence a score; higher is better."""
import math
from collections import Counter

from lib.rouge import words

DAMPING = 0.85
LEXRANK_THRESHOLD = 0.1


def lead(sentences):
    return [-i for i in range(len(sentences))]


def tfidf(sentences):
    """Unit vectors of term frequency x inverse sentence frequency, as dictionaries."""
    counts = [Counter(words(sentence)) for sentence in sentences]
    found_in = Counter(word for count in counts for word in count)
    vectors = []
    for count in counts:
        vector = {word: n * math.log((1 + len(sentences)) / (1 + found_in[word])) for word, n in count.items()}
        norm = math.sqrt(sum(value * value for value in vector.values()))
        vectors.append({word: value / norm for word, value in vector.items()} if norm else {})
    return vectors


def cosines(vectors):
    """The matrix of cosines, through lists of the sentences with a word: most pairs have few words in common."""
    matrix = [[0.0] * len(vectors) for _ in vectors]
    holders = {}
    for i, vector in enumerate(vectors):
        for word, value in vector.items():
            holders.setdefault(word, []).append((i, value))
    for row in holders.values():
        for i, value in row:
            for j, other in row:
                matrix[i][j] += value * other
    return matrix


def stationary(matrix, most_steps=100, tolerance=1e-8):
    """Damped power iteration. A row without weight passes its share on to all alike."""
    n = len(matrix)
    sums = [sum(row) for row in matrix]
    ranks = [1 / n] * n
    for _ in range(most_steps):
        spread = sum(rank for rank, total in zip(ranks, sums) if total <= 0) / n
        new = [(1 - DAMPING) / n + DAMPING * spread] * n
        for rank, total, row in zip(ranks, sums, matrix):
            if total > 0:
                share = DAMPING * rank / total
                new = [value + share * weight for value, weight in zip(new, row)]
        moved = sum(abs(a - b) for a, b in zip(new, ranks))
        ranks = new
        if moved < tolerance:
            break
    return ranks


def textrank(sentences):
    """Mihalcea and Tarau's graph with the cosine of tf-idf as its weights."""
    matrix = cosines(tfidf(sentences))
    for i, row in enumerate(matrix):
        row[i] = 0.0
    return stationary(matrix)


def lexrank(sentences):
    """Erkan and Radev's: an edge wherever the cosine is above the threshold, all edges alike."""
    matrix = [[float(value > LEXRANK_THRESHOLD) for value in row] for row in cosines(tfidf(sentences))]
    for i, row in enumerate(matrix):
        row[i] = 1.0
    return stationary(matrix)


BASELINES = {"lead": lead, "textrank": textrank, "lexrank": lexrank}


def best(scores, k):
    """Indices of the k highest, in text order; of equals the earlier one."""
    return sorted(sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k])
