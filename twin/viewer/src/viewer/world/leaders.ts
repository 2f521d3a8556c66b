// The lines from cards to their anchors: drawn into the picture in screen pixels, for a layer of the page's
// own would be painted anew with every picture.
import { BufferAttribute, BufferGeometry, LineBasicMaterial, LineSegments, OrthographicCamera, Points, PointsMaterial, Scene, type WebGLRenderer } from "three";

const MOST = 512;

export class Leaders {
  private readonly scene = new Scene();
  private readonly camera = new OrthographicCamera(0, 1, 0, 1, -1, 1);
  private readonly ends = new BufferAttribute(new Float32Array(MOST * 6), 3);
  private readonly dots = new BufferAttribute(new Float32Array(MOST * 3), 3);
  private readonly lines = new LineSegments(new BufferGeometry(), new LineBasicMaterial({ transparent: true, opacity: 0.6, depthTest: false }));
  private readonly points = new Points(new BufferGeometry(), new PointsMaterial({ size: 5, sizeAttenuation: false, depthTest: false }));
  private count = 0;

  constructor() {
    this.lines.geometry.setAttribute("position", this.ends);
    this.points.geometry.setAttribute("position", this.dots);
    this.lines.frustumCulled = this.points.frustumCulled = false;
    this.scene.add(this.lines, this.points);
  }

  resize(width: number, height: number): void {
    Object.assign(this.camera, { right: width, bottom: height });
    this.camera.updateProjectionMatrix();
  }

  color(color: string): void {
    this.lines.material.color.set(color);
    this.points.material.color.set(color);
  }

  clear(): void {
    this.count = 0;
  }

  /** Draw a line from an anchor to a card's edge with the next picture. */
  add(from: { x: number; y: number }, to: { x: number; y: number }): void {
    if (this.count === MOST) return;
    this.ends.setXYZ(this.count * 2, from.x, from.y, 0);
    this.ends.setXYZ(this.count * 2 + 1, to.x, to.y, 0);
    this.dots.setXYZ(this.count, from.x, from.y, 0);
    this.count += 1;
  }

  render(renderer: WebGLRenderer): void {
    if (this.count === 0) return;
    this.ends.needsUpdate = this.dots.needsUpdate = true;
    this.lines.geometry.setDrawRange(0, this.count * 2);
    this.points.geometry.setDrawRange(0, this.count);
    this.points.material.size = 5 * renderer.getPixelRatio();
    renderer.autoClear = false;
    renderer.render(this.scene, this.camera);
    renderer.autoClear = true;
  }
}
