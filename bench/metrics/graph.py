"""Lines as a graph of nodes and chains between them: what components, loops and paths are counted on."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from veristem.bench.metrics.lines import Lines


class LineGraph:
    """Segments joined into chains that run from node to node; a node is an end or a junction (or one point of a ring).

    Segments meet where their ends coincide (to 1e-6 nm). Then every free end is joined by a straight link to the
    nearest point of the lines within the tolerance, nearest ends first, unless a path along the lines already leads
    there in less than twice the tolerance. A gap or a missed junction smaller than the tolerance thus does not count,
    on either side.

    Attributes
    ----------
    components, loops : int
        Betti numbers 0 and 1.
    chains : (C, 2) int
        First and last node of each chain.
    lengths_nm : (C,) float
        Arc length of each chain [nm].
    end_segments : (C, 2) int
        First and last segment of each chain; -1 of a chain that is a link.
    nodes_nm : (N, 3) float
        Positions of the nodes [nm].
    lines : Lines
        The segments.
    """

    def __init__(self, lines: Lines):
        import networkx as nx

        graph, points = _joined(lines)
        walks = _walks(graph)
        nodes = {node: i for i, node in enumerate(dict.fromkeys(n for walk in walks for n in (walk[0], walk[-1])))}
        self.lines, self.nodes_nm, self.node_count = lines, points[list(nodes)], len(nodes)
        self.chains = np.array([(nodes[w[0]], nodes[w[-1]]) for w in walks], int).reshape(-1, 2)
        steps = [[graph.edges[pair]["length"] for pair in pairwise(w)] for w in walks]
        self.lengths_nm = np.array([sum(s) for s in steps])
        on = [[s for pair in pairwise(w) if (s := graph.edges[pair]["segment"]) >= 0] or [-1] for w in walks]
        self.end_segments = np.array([(s[0], s[-1]) for s in on], int).reshape(-1, 2)
        self.components = nx.number_connected_components(graph)
        self.loops = graph.number_of_edges() - graph.number_of_nodes() + self.components

        # all pieces of all chains in a row, each with the arc length at which it begins
        pieces = np.array([pair for w in walks for pair in pairwise(w)], int).reshape(-1, 2)
        length = np.array([x for s in steps for x in s])
        chain = np.repeat(np.arange(len(walks)), [len(s) for s in steps])
        begin = np.concatenate([np.zeros(0), *(np.cumsum([0.0, *s[:-1]]) for s in steps)])
        keep = length > 0
        self._chain, self._begin = chain[keep], begin[keep]
        start, stop = points[pieces[keep, 0]], points[pieces[keep, 1]]
        self._pieces = Lines(start, stop, np.full((len(start), 2), np.nan), None, lines.tolerance_nm)

    def locate(self, points_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distance (N,) to the nearest point of the graph, its chain (N,) and its arc length on it (N,) [nm]."""
        distance, foot, piece = self._pieces.nearest(points_nm)
        if not len(self._chain):
            return distance, piece, distance
        along = np.linalg.norm(foot - self._pieces.start_nm[piece], axis=1)
        return distance, self._chain[piece], self._begin[piece] + along

    def controls(self, spacing_nm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Control points (N, 3) [nm] with chain and arc length: every node, and equal parts of at most the spacing."""
        chain, arc = [], []
        seen: set[int] = set()
        for c, (ends, length) in enumerate(zip(self.chains, self.lengths_nm)):
            parts = max(int(np.ceil(length / spacing_nm - 1e-9)), 2 if ends[0] == ends[1] else 1)
            new = [length * i / parts for i in range(1, parts)]
            for node, at in zip(ends.tolist(), (0.0, float(length))):
                if node not in seen:
                    seen.add(node)
                    new.append(at)
            chain += [c] * len(new)
            arc += new
        where, s = np.array(chain, int), np.array(arc, float)
        pieces = self._pieces
        if not len(where):
            return np.zeros((0, 3)), where, s
        # the last piece of the chain that begins at or before s
        rank = np.concatenate([[0.0], np.cumsum(self.lengths_nm + 1.0)])  # keeps the chains apart
        piece = np.searchsorted(rank[self._chain] + self._begin, rank[where] + s + 1e-9, side="right") - 1
        unit = (pieces.stop_nm - pieces.start_nm)[piece] / pieces.lengths_nm[piece, None]
        return pieces.start_nm[piece] + (s - self._begin[piece])[:, None] * unit, where, s

    def distances(self, chain: np.ndarray, arc_nm: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(R, N) lengths of the shortest paths from some positions on the graph to all [nm]; infinite without one.

        Parameters
        ----------
        chain : (N,) int
            Chain of each position.
        arc_nm : (N,) float
            Arc length at which each lies on its chain [nm].
        rows : (R,) int
            Which positions to start from.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        count, chains = len(chain), np.arange(len(self.chains))
        ids = np.concatenate([self.chains[:, 0], self.node_count + np.arange(count), self.chains[:, 1]])
        on = np.concatenate([chains, chain, chains])
        at = np.concatenate([np.zeros(len(chains)), np.clip(arc_nm, 0, self.lengths_nm[chain]), self.lengths_nm])
        kind = np.repeat([0, 1, 2], [len(chains), count, len(chains)])
        order = np.lexsort((kind, at, on))
        ids, on, at = ids[order], on[order], at[order]
        next_to = on[1:] == on[:-1]
        pair = np.sort(np.stack([ids[:-1], ids[1:]], axis=1)[next_to], axis=1)
        step = np.diff(at)[next_to] + 1e-12  # a sparse zero would be no edge
        # of chains between the same two positions the shortest; a sparse matrix would add them
        shortest = np.lexsort((step, pair[:, 1], pair[:, 0]))
        pair, first = np.unique(pair[shortest], axis=0, return_index=True)
        size = self.node_count + count
        matrix = csr_array((step[shortest][first], (pair[:, 0], pair[:, 1])), shape=(size, size))
        return dijkstra(matrix, directed=False, indices=self.node_count + rows)[:, self.node_count :]


def _joined(lines: Lines):
    """The graph of the segments with its links, and the position of each of its nodes (N, 3)."""
    import networkx as nx

    tolerance = lines.tolerance_nm
    ends = np.concatenate([lines.start_nm, lines.stop_nm])
    _, first, ids = np.unique(np.round(ends, 6), axis=0, return_index=True, return_inverse=True)
    points, ids = ends[first], ids.reshape(2, -1).T
    graph = nx.Graph()
    graph.add_edges_from(
        (u, v, {"length": length, "segment": segment})
        for segment, ((u, v), length) in enumerate(zip(ids.tolist(), lines.lengths_nm.tolist()))
        if u != v
    )

    def reached(node) -> dict:
        # a little less than twice the tolerance: a link may lead exactly there
        return nx.single_source_dijkstra_path_length(graph, node, cutoff=2 * tolerance - 1e-6, weight="length")

    feet: list[np.ndarray] = []
    links = []  # (distance, end, foot)
    on_edge: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for end in [n for n, degree in graph.degree if degree == 1]:
        near = lines.near(points[end], tolerance)
        paths = reached(end)
        known = np.array([[paths.get(n, np.inf) for n in ids[s].tolist()] for s in near]).reshape(-1, 2)
        foot, distance = lines.feet(points[end], near, np.maximum(2 * tolerance - known, 0))
        if distance.min(initial=np.inf) <= tolerance:
            best = int(np.argmin(distance))
            u, v = sorted(ids[near[best]].tolist())
            to_u, to_v = (float(np.linalg.norm(foot[best] - points[n])) for n in (u, v))
            node = u if to_u < 1e-5 else v if to_v < 1e-5 else len(points) + len(feet)
            links.append((float(distance[best]), end, node))
            if node not in (u, v):
                feet.append(foot[best])
                on_edge.setdefault((u, v), []).append((to_u, node))
    for (u, v), new in on_edge.items():
        edge = graph.edges[u, v]
        row = [(0.0, u), *sorted(new), (edge["length"], v)]
        graph.remove_edge(u, v)
        for (s, a), (t, b) in pairwise(row):
            graph.add_edge(a, b, length=max(t - s, 0.0), segment=edge["segment"])
    for distance, end, node in sorted(links):
        if node not in reached(end):
            graph.add_edge(end, node, length=distance, segment=-1)
    return graph, np.concatenate([points, np.reshape(feet, (-1, 3))])


def _walks(graph) -> list[list[int]]:
    """The chains as lists of nodes: between nodes that are not of degree two, then the rings that are left."""
    walks = []
    seen = set()  # directed edges
    for begin in sorted(graph.nodes, key=lambda node: graph.degree[node] == 2):
        for node in graph[begin]:
            if (begin, node) in seen:
                continue
            walk = [begin, node]
            while graph.degree[walk[-1]] == 2 and walk[-1] != begin:
                a, b = graph[walk[-1]]
                walk.append(b if a == walk[-2] else a)
            for a, b in pairwise(walk):
                seen.update(((a, b), (b, a)))
            walks.append(walk)
    return walks
