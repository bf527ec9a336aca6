for (const stage of document.querySelectorAll(".stage")) {
  const [view, canvas, line] = [".view", ".canvas", ".canvas i"].map(name => stage.querySelector(name));
  const [left, right, split] = [".left", ".right", ".split"].map(name => stage.querySelector(name));
  const images = [...canvas.querySelectorAll("img")];
  const scale = 1 / devicePixelRatio;  // one pixel is one pixel of the screen
  const width = images[0].width * scale, height = images[0].height * scale;
  for (const part of [canvas, ...images]) { part.style.width = `${width}px`; part.style.height = `${height}px`; }
  const show = () => {
    images.forEach((image, place) => {
      image.classList.toggle("is-left", place === +left.value);
      image.classList.toggle("is-right", place === +right.value);
      image.style.clipPath = "";
    });
    const at = Math.min(width, view.scrollLeft + view.clientWidth * split.value / 1000);
    images[+right.value].style.clipPath = `inset(0 0 0 ${at}px)`;
    line.style.left = `${at}px`;
  };
  view.addEventListener("pointermove", event => {
    const box = view.getBoundingClientRect();
    split.value = 1000 * (event.clientX - box.left) / view.clientWidth;
    show();
  });
  view.addEventListener("keydown", event => {
    const step = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
    if (!step) return;
    split.value = +split.value + step;
    event.preventDefault();
    show();
  });
  for (const input of [left, right, split]) input.addEventListener("input", show);
  view.addEventListener("scroll", show);
  addEventListener("resize", show);
  right.value = Math.min(1, images.length - 1);
  show();
}
