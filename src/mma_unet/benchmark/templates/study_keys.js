/* What a key does, as a pure function: tests run it in Node without a page. */

function isComplete(ranking, letters) {
  return [...letters].every((letter) => ranking.includes(letter)) && !ranking.endsWith("=");
}

/** Place of each letter, 1 for the best; tied letters share the first of their places. */
function places(ranking) {
  const found = {};
  let before = 0;
  for (const tied of ranking.split(/(?<!=)(?=[A-Z])/)) {
    const letters = tied.replaceAll("=", "");
    for (const letter of letters) found[letter] = before + 1;
    before += letters.length;
  }
  return found;
}

/** The state after a key: {at: index of the pair, answers: {name of the pair: ranking}}. */
function press(state, key, pairs) {
  const { name, letters } = pairs[state.at];
  const ranking = state.answers[name] ?? "";
  const rank = (text) => ({ ...state, answers: { ...state.answers, [name]: text } });
  const go = (at) => ({ ...state, at: Math.min(Math.max(at, 0), pairs.length - 1) });
  const letter = key.toUpperCase();
  if (key.length === 1 && letters.includes(letter))
    return ranking.includes(letter) ? state : rank(ranking + letter);
  switch (key) {
    case "=": {
      const open = ranking && !ranking.endsWith("=") && !isComplete(ranking, letters);
      return open ? rank(ranking + "=") : state;
    }
    case "Backspace": return ranking ? rank(ranking.slice(0, -1)) : state;
    case "Enter": return isComplete(ranking, letters) ? go(state.at + 1) : state;
    case "ArrowRight": return go(state.at + 1);
    case "ArrowLeft": return go(state.at - 1);
    default: return state;
  }
}

/** The answers as the tally reads them: rankings that are complete, in the order of the page. */
function exported(state, study, pairs, rater) {
  const done = pairs.filter((pair) => isComplete(state.answers[pair.name] ?? "", pair.letters));
  const answers = Object.fromEntries(done.map((pair) => [pair.name, state.answers[pair.name]]));
  return { study, rater, answers };
}
