// Runs in a MiniWoB++ page: episodes of a seed, clicks at a point, and what the page itself rewards. Coordinates are its pixels.
window.episodes = (() => {
  const [width, height] = [160, 210];
  const notOfTheTask = '#query, #query *, #sync-task-cover, #reward-display, #reward-display *, #click-canvas, #wrap, #area, script, style';
  const style = document.createElement('style');
  style.textContent = '* { transition: none !important; animation: none !important; caret-color: transparent !important; }';
  document.head.append(style);
  if (window.jQuery) jQuery.fx.off = true;

  /** Starts the episode of this seed and returns its instruction. */
  const start = seed => {
    core.EPISODE_MAX_TIME = 1e6;
    Math.seedrandom(seed);
    core.startEpisodeReal();
    document.activeElement?.blur();
    const told = core.getUtterance();
    return typeof told === 'string' ? told : told.utterance;
  };

  /** What the page has rewarded: positive, negative, or 0 where the episode goes on. */
  const reward = () => WOB_DONE_GLOBAL ? WOB_RAW_REWARD_GLOBAL : 0;

  /** Clicks as a mouse would, but without the time that one takes. */
  const press = (x, y) => {
    const target = document.elementFromPoint(x, y);
    if (!target) return;
    const at = {bubbles: true, cancelable: true, composed: true, view: window, clientX: x, clientY: y, detail: 1};
    for (const name of ['pointerdown', 'mousedown']) target.dispatchEvent(new MouseEvent(name, {...at, buttons: 1}));
    target.closest('input, textarea, button, select, a[href], [tabindex]')?.focus();
    for (const name of ['pointerup', 'mouseup', 'click']) target.dispatchEvent(new MouseEvent(name, at));
  };

  /** Boxes of all that can be seen and clicked, apart from the instruction, each once. */
  const candidates = () => {
    const boxes = new Map();
    for (const element of document.body.querySelectorAll('*')) {
      if (element.matches(notOfTheTask)) continue;
      for (const r of element.getClientRects()) {
        const box = [r.left, r.top, r.right, r.bottom].map(Math.round);
        if (r.width < 5 || r.height < 5 || box[0] < 0 || box[1] < 0 || box[2] > width || box[3] > height) continue;
        const seen = document.elementFromPoint((r.left + r.right) / 2, (r.top + r.bottom) / 2);
        if (seen && (element.contains(seen) || seen.contains(element))) boxes.set(box.join(), box);
      }
    }
    return [...boxes.values()];
  };

  /**
   * What a seed's page rewards: the boxes, and for an answer the place in thousandths of the page's sides, each the centre of
   * one of `bins`: nearest to the centre of the smallest rewarded element, of the topmost where there are several. An element
   * counts as rewarded where clicks on its centre and on four points beside it all are; of nested ones the outermost is the box.
   */
  const solve = (seed, bins) => {
    const instruction = start(seed);
    const boxes = candidates();
    const good = (x, y) => { start(seed); press(x, y); return reward() > 0; };
    const rewarded = boxes.filter(([x1, y1, x2, y2]) => [[0, 0], [-.2, 0], [.2, 0], [0, -.2], [0, .2]].every(
      ([dx, dy]) => good((x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1))));
    const holds = (a, b) => a[0] <= b[0] && a[1] <= b[1] && a[2] >= b[2] && a[3] >= b[3];
    const outer = rewarded.filter(b => !rewarded.some(a => a !== b && holds(a, b)));
    const inner = rewarded.filter(b => !rewarded.some(a => a !== b && holds(b, a)));
    inner.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    const nearest = at => Math.round((Math.min(Math.max(Math.floor(at * bins), 0), bins - 1) + .5) * 1000 / bins);
    const answer = inner.map(([x1, y1, x2, y2]) => [nearest((x1 + x2) / 2 / width), nearest((y1 + y2) / 2 / height)])
      .find(([x, y]) => good(x / 1000 * width, y / 1000 * height));
    start(seed);
    return {instruction, candidates: boxes.length, boxes: outer, answer: answer ?? null};
  };

  /** What can be named on the page: kind, text, colour (null where it has none) and box of every widget and shape seen whole. */
  const named = () => {
    const kinds = [
      ['button', 'button'], ['a, .alink', 'link'], ['textarea', 'text area'], ['input[type=radio]', 'radio button'],
      ['input[type=checkbox]', 'checkbox'], ['input', 'text field'], ['svg rect', 'rectangle'], ['svg circle', 'circle'],
      ['svg polygon', 'triangle'], ['svg text', 'letter'], ['.color', 'box'],
    ];
    const found = [];
    for (const element of document.querySelectorAll('#area *, .ui-dialog *')) {
      const kind = kinds.find(([selector]) => element.matches(selector))?.[1];
      if (!kind) continue;
      const whole = element.closest('label') ?? element;
      const r = whole.getBoundingClientRect();
      const box = [r.left, r.top, r.right, r.bottom].map(Math.round);
      const seen = document.elementFromPoint((r.left + r.right) / 2, (r.top + r.bottom) / 2);
      if (r.width < 5 || r.height < 5 || box[0] < 0 || box[1] < 50 || box[2] > width || box[3] > height) continue;
      if (!seen || !(whole.contains(seen) || seen.contains(whole))) continue;
      const text = (kind === 'text field' ? element.value : whole.textContent).trim();
      const digit = kind === 'letter' && /^[0-9]$/.test(text);
      found.push({
        kind: digit ? 'digit' : kind, text: text || null, box,
        color: element.getAttribute('fill') ?? element.dataset.color ?? null,
      });
    }
    return found;
  };

  return {start, reward, press, solve, named};
})();
