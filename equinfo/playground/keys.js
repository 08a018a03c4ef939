// One piece of a list is a tab stop; the arrow keys, Home and End lead from piece to piece.
document.addEventListener("keydown", (event) => {
  const chip = event.target.closest?.("[role=list] > li[tabindex]");
  if (!chip) return;
  const chips = [...chip.parentElement.querySelectorAll(":scope > li[tabindex]")];
  const last = chips.length - 1, at = chips.indexOf(chip);
  const to = { ArrowRight: Math.min(at + 1, last), ArrowLeft: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  chip.tabIndex = -1;
  chips[to].tabIndex = 0;
  chips[to].focus();
});
