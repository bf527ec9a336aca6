"use strict";
for (const group of document.querySelectorAll(".pictures")) {
  const images = [...group.querySelectorAll("img")];
  let scale = 1, x = 0.5, y = 0.5;  // the spot that is shown, in shares of the picture
  const show = () => {
    group.classList.toggle("zoomed", scale > 1);
    const place = at => Math.min(0, Math.max(1 - scale, 0.5 - at * scale)) * 100 / scale;
    for (const image of images)
      image.style.transform = scale > 1 ? `scale(${scale}) translate(${place(x)}%, ${place(y)}%)` : "";
  };
  const spot = (event, frame) => {
    const box = frame.getBoundingClientRect();
    x = (event.clientX - box.left) / box.width;
    y = (event.clientY - box.top) / box.height;
  };
  group.addEventListener("click", event => {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    if (scale === 1) spot(event, frame);
    scale = scale > 1 ? 1 : 4;
    show();
  });
  group.addEventListener("pointermove", event => {
    const frame = event.target.closest(".frame");
    if (!frame || scale === 1) return;
    spot(event, frame);
    show();
  });
  group.addEventListener("keydown", event => {
    const step = 0.15 / scale, moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    if (event.key === "Enter" || event.key === " ") scale = scale > 1 ? 1 : 4;
    else if (event.key === "Escape") scale = 1;
    else if (event.key === "+" || event.key === "=") scale = Math.min(16, scale * 2);
    else if (event.key === "-") scale = Math.max(1, scale / 2);
    else if (move && scale > 1) {
      x = Math.min(1, Math.max(0, x + move[0]));
      y = Math.min(1, Math.max(0, y + move[1]));
    } else return;
    event.preventDefault();
    show();
  });
}
for (const group of document.querySelectorAll(".sounds")) {
  const sounds = [...group.querySelectorAll("audio")];
  for (const sound of sounds)
    sound.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) {
        if (other === sound || other.paused) continue;
        if (sounds.includes(other)) sound.currentTime = other.currentTime;
        other.pause();
      }
    });
}
